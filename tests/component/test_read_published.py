"""Lists with their details, as the audit reads them."""

import pytest
from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.inspection.snapshot import read_published
from streamapp.store.lists import lists_of
from streamapp.store.slot.keys import details_key

WHOLE = b'{"v":1,"kind":"item","id":"a","seq":5,"as_of":1.5,"items":[{"id":"b","score":1.0}]}'
SERVED = b'{"v":1,"kind":"item","id":"a","seq":5,"items":[{"id":"b"}]}'
OTHER = SERVED.replace(b'"b"', b'"c"')


@pytest.mark.parametrize(
    ("served", "whole", "found"),
    [
        (SERVED, WHOLE, WHOLE),
        (None, None, None),
        (OTHER, WHOLE, OTHER),
        (SERVED, None, SERVED),
        (None, WHOLE, b"null"),
    ],
)
async def test_what_readers_see_must_be_what_the_state_says(
    redis: Redis, served: bytes | None, whole: bytes | None, found: bytes | None
) -> None:
    """Else it is returned as something that is no list with details."""
    settings = Settings(_env_file=None, list_prefix="l:", state_prefix="s:", list_details="ids")
    lists = lists_of(redis, "l:", "s:", cluster=False, ids_only=True)
    await lists.replace("item", [("a", WHOLE)], 5)
    for key, value in (("l:item:a", served), (details_key("s:", "l:item:a"), whole)):
        if value is None:
            await redis.delete(key)
        else:
            await redis.set(key, value)
    assert await read_published(redis, settings, ["item:a"], lambda *_: None) == [found]
