"""What the state holds of one user: histories in every kind of lists, and the user's own list."""

from collections.abc import Mapping
from typing import Any

import orjson
from redis.asyncio import Redis

from streamapp.config.settings import Settings
from streamapp.core.events.projection import PROJECTIONS
from streamapp.core.histories.event_types import FORGET, HIDDEN_CODE, NO_ORDER, ORDER_CODE
from streamapp.core.histories.marks import unpacked
from streamapp.core.ids.role_registry import BOUGHT, registry_of
from streamapp.core.list_kinds import ITEM, USER
from streamapp.core.messages.interaction_batch import partition_of
from streamapp.inspection.snapshot import read_layout
from streamapp.pipelines import Pipeline, pipelines
from streamapp.store.slot.keys import SlotKeys, histories_tag, list_name
from streamapp.store.slot.slot import Slot
from streamapp.store.values.user_list_index import UserListIndex


async def read_user(redis: Redis, settings: Settings, user: str) -> dict[str, Any]:
    """Return everything that is kept of a user, as JSON holds it.

    Raises:
        StateError: there is no state.

    Cost: one read of the items that the user's partition knows, for each kind of lists.
    """
    own = pipelines(settings)
    histories = {
        kind: await _history(redis, pipeline, _name(kind, user)) for kind, pipeline in own.items()
    }
    main = own[ITEM]
    partition = await _partition(redis, main, user)
    index = UserListIndex(redis, SlotKeys(main.state_prefix, histories_tag(partition)))
    expires_at = await index.expires_at(user)
    content: Any = await redis.get(settings.list_prefix + list_name(USER, user))
    return {
        "user_id": user,
        "histories": histories,
        "list": None if content is None else _decoded(content),
        "list_expires_at": None if expires_at is None else abs(expires_at),
        "receipt_due": expires_at is not None and expires_at < 0,
    }


def _name(kind: str, user: str) -> str:
    """Return the name under which a kind of lists keeps what the user did."""
    if kind == ITEM:
        return user
    projected = PROJECTIONS[kind]({}, user, "", FORGET, NO_ORDER)
    return projected.user if projected else user


def _decoded(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return content.decode(errors="backslashreplace")


async def _partition(redis: Redis, pipeline: Pipeline, name: str) -> int:
    layout = await read_layout(redis, pipeline)
    return partition_of(name, layout[pipeline.interactions_topic])


async def _history(redis: Redis, pipeline: Pipeline, name: str) -> dict[str, Any]:
    """Return the items and the hidden items of a history."""
    partition = await _partition(redis, pipeline, name)
    slot = Slot(redis, SlotKeys(pipeline.state_prefix, histories_tag(partition)))
    (blob,) = await slot.blobs.read([name])
    if blob is None or not blob.content:
        return {"items": [], "hidden": []}
    registry = await slot.item_ids.registry(registry_of(pipeline.kind))
    rule = pipeline.history_rule
    _, item_numbers, codes, values = unpacked([blob.content], rule, registry)
    columns = item_numbers.tolist(), codes.tolist(), values.tolist()
    items: dict[int, list[dict[str, Any]]] = {}
    hidden: list[dict[str, Any]] = []
    for item, code, value in zip(*columns, strict=True):
        if code == HIDDEN_CODE:
            hidden.append({"item_id": registry.ids[item], "ts": value})
        elif code == ORDER_CODE:
            items[item][-1]["order"] = int(value)
        else:
            items.setdefault(item, []).append({"type": rule.types.names[code], "ts": value})
    return {
        "items": [
            {**_item(registry.ids[item], pipeline), "types": types} for item, types in items.items()
        ],
        "hidden": hidden,
    }


def _item(item: str, pipeline: Pipeline) -> Mapping[str, str]:
    if not pipeline.roles.row:
        return {"item_id": item}
    role = "bought" if item.startswith(BOUGHT) else "viewed"
    return {"item_id": item[len(BOUGHT) :], "role": role}
