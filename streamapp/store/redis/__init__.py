"""The connection to Redis: clients, scripts, health."""
