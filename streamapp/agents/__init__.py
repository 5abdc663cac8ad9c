"""The stages: asyncio steps from records to lists, with their state in slots."""
