"""Reads products from the slots of the catalogue."""

import msgspec
from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.core.events.catalogue_record import Product, decode_product
from streamapp.errors import StateError
from streamapp.store.slot.keys import SlotKeys, catalogue_tag
from streamapp.store.slot.slot import Slot
from streamapp.store.state_layout import partition_count


async def read_products(redis: Redis, state_prefix: str, partitions: int) -> dict[str, Product]:
    """Return every product by its item. Cost: O(keys) calls, and all products in memory."""
    products: dict[str, Product] = {}
    for partition in range(partitions):
        slot, cursor = _slot_of(redis, state_prefix, partition), -1
        while cursor:
            cursor, items = await slot.blobs.scan(max(cursor, 0))
            blobs = await slot.blobs.read(items) if items else []
            products |= {
                item: product_in(slot, item, blob[1])
                for item, blob in zip(items, blobs, strict=True)
                if blob and blob[1]
            }
    return products


async def read_product(redis: Redis, settings: Settings, item: str) -> Product | None:
    """Return the product of an item; None where no partition of the catalogue has it."""
    if not settings.catalogue_topic:
        return None
    prefix = settings.state_prefix
    for partition in range(await partition_count(redis, prefix, settings.catalogue_topic)):
        slot = _slot_of(redis, prefix, partition)
        (blob,) = await slot.blobs.read([item])
        if blob and blob[1]:
            return product_in(slot, item, blob[1])
    return None


def product_in(slot: Slot, item: str, content: bytes) -> Product:
    """Return the product of an item from its blob.

    Raises:
        StateError: the blob holds no product.
    """
    try:
        return decode_product(content)
    except msgspec.DecodeError as error:
        raise StateError(
            f"redis holds no product under {slot.keys.blob(item)}: {error}; if another program "
            "wrote there, count again from the first event with `streamapp rebuild`"
        ) from None


def _slot_of(redis: Redis, state_prefix: str, partition: int) -> Slot:
    return Slot(redis, SlotKeys(state_prefix, catalogue_tag(partition)))
