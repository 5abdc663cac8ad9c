"""The footprint: how much memory Redis needs for how much state.

The sizes follow from the layout of the keys and from how Redis (64 bits, jemalloc) keeps a string.
Key and value each take the next size class of the allocator. An object takes 16 bytes, an entry in
the table of keys 24, and its buckets 8 to 16. Valkey takes somewhat less.
"""

from dataclasses import dataclass

from streamapp.config.settings import Settings
from streamapp.core.counts.decayed_norms import DECAYED_NORM
from streamapp.core.counts.norms import NORM
from streamapp.core.histories.marks import HEADER, MARK
from streamapp.core.shard.visibility import VISIBILITY
from streamapp.core.trending.categories import CATEGORY
from streamapp.core.trending.popularity import POPULARITY
from streamapp.inspection.row_sizes import row_bytes
from streamapp.pipelines import Pipeline
from streamapp.store.slot.blob import POSITION_BYTES
from streamapp.store.slot.head import offset_name
from streamapp.store.slot.keys import SlotKeys, catalogue_tag, details_key, histories_tag, rows_tag
from streamapp.store.values.norm_feed import NORM_BYTES, most_feed_bytes

_STRING_BYTES = 16 + 24 + 12
_LIST_BYTES = len('{"v":1,"kind":"item","id":"","seq":100000,"as_of":1700000000.25,"items":[]}')
_LISTED_BYTES = len('{"id":"","score":0.6738016797562081,"support":12},')
_USER_LIST_BYTES = len(
    '{"v":1,"kind":"user","id":"","seq":1763800000123,"as_of":1700000000.25,"items":[]}'
)
_REASONED_BYTES = len('{"id":"","score":0.6738016797562081,"reason":"similar","because":""},')
_LIST_ENTRY_BYTES = 3
_PRODUCT_BYTES = POSITION_BYTES + 60
"""Of a product whose title and category have about 60 bytes."""

_EXPIRY_BYTES = 24 + 12
_NOTE_BYTES = 24 + 16 + 8
"""Of an entry of a hash, with a value of ten digits, beside its name."""

_TOP_BYTES = 24 + 8 + 24 + 16
"""Of an entry of a hash and one of a sorted set, beside name and value."""

_POPULAR_BYTES = 1 + 2 + 9 + 3
"""Of an entry of a top, beside the id."""

_TREND_BYTES = len('{"id":"","score":0.6738016797562081},')

_INTAKE_HEAD_BYTES, _HISTORIES_HEAD_BYTES, _SHARD_HEAD_BYTES = 1_000, 1_700, 2_400
"""Of a head without offsets and versions: MEMORY USAGE of Redis 7.0, default settings, six digits
for counts. With Valkey 9.1 it is 768, 1,200 and 1,800."""

_FIELD_BYTES = 32 + 16 + 16
"""Of an entry of a large hash, with a value of up to twelve digits, beside its name. It was
measured as 88 to 96 bytes with names of 19."""

_POSITION_DIGITS, _COUNTS_DIGITS = len("123456,"), len("123456:123456,")
"""In the text of a head, for each shard."""

_SLOT_KEY_BYTES = len("streamapp:{i123}:popularity")

_SPARE_BYTES = 1_048_576
"""A string that grows has as much to spare as it holds, up to this."""


@dataclass(frozen=True, slots=True)
class Size:
    """The amount of state.

    Attributes:
        users: Users with a history.
        items: Items.
        pairs: Pairs of items that some user has both of.
        history: Mean marks of a history: one for each type that an item has seen.
        id_bytes: Mean bytes of an id.
        live: Users who have a list.
        categories: Categories of the catalogue.
    """

    users: int
    items: int
    pairs: int
    history: float
    id_bytes: int
    live: int
    categories: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """The slots that a state is divided into.

    Attributes:
        partitions: Partitions of the interactions topic, and of each topic that others write to.
        shards: Partitions of the deltas topic.
        known: Mean items whose ids a shard has, if they are more than expected: ids stay when rows
            go.
    """

    partitions: int
    shards: int
    known: float = 0.0


@dataclass(frozen=True, slots=True)
class KeyClass:
    """The keys of one kind.

    Attributes:
        name: What the keys hold.
        keys: How many.
        bytes: Memory that all of them take in Redis.
    """

    name: str
    keys: int
    bytes: int


def predict(size: Size, parts: Parts, settings: Settings, pipeline: Pipeline) -> list[KeyClass]:
    """Return the memory that a state of `size` takes.

    Args:
        size: The amount of state.
        parts: The slots that it is divided into.
        settings: They say how long lists are.
        pipeline: The pipeline that owns the state.

    The result is an upper bound: every partition hears of every other, norm feeds are as long as
    they get, strings that grow have as much to spare, and every user list is full of similar items.
    With LIST_DETAILS=ids there are two copies of each list; that of readers is taken as large as
    the other one.
    A partition of histories knows the items of its users. A shard knows its own items and those in
    their rows; with a catalogue, all items.

    A catalogue has exactly these items, and some of them are hidden. With a half-life, the norms
    are of one era; each further era of an item takes as much again. Content neighbours are of
    products beyond these items and are not included. Such a product takes a list, the same again in
    the slot of its shard, and its name there.
    """
    users, items, name = size.users, size.items, "x" * size.id_bytes
    copies = 1 + (settings.list_details == "ids")
    partitions, shards = parts.partitions, parts.shards
    known = max(parts.known, known_by_shard(size, shards, whole=bool(pipeline.catalogue_topic)))
    seen = _reached(items, users * size.history / items if items else 0.0, partitions)
    norm = DECAYED_NORM if pipeline.decay else NORM
    row = 2 * size.pairs / items if items else 0.0
    history_key = SlotKeys(pipeline.state_prefix, histories_tag(partitions)).blob(name)
    row_key = SlotKeys(pipeline.state_prefix, rows_tag(shards)).blob("1" * len(str(items)))
    list_key = f"{settings.list_prefix}item:{name}"
    history_bytes = POSITION_BYTES + len(HEADER) + size.history * MARK.itemsize
    listed = min(row, settings.top_n)
    list_bytes = _LIST_BYTES + size.id_bytes + listed * (_LISTED_BYTES + size.id_bytes)
    user_key = f"{settings.list_prefix}user:{name}"
    user_bytes = _USER_LIST_BYTES + settings.top_n * (_REASONED_BYTES + 2 * size.id_bytes)
    user_list = _list_bytes(user_key, user_bytes + size.id_bytes, settings)
    user_list += copies * _EXPIRY_BYTES
    note = _NOTE_BYTES + _allocated(_with_header(size.id_bytes))
    product_key = SlotKeys(pipeline.state_prefix, catalogue_tag(partitions)).blob(name)
    catalogue = [
        KeyClass("products", items, items * string_bytes(len(product_key), _PRODUCT_BYTES)),
        KeyClass("availability", shards, shards * _growing(items * VISIBILITY.itemsize)),
    ]
    feed_bytes = most_feed_bytes(NORM_BYTES * -(-items // shards))
    return [
        KeyClass("histories", users, users * string_bytes(len(history_key), history_bytes)),
        KeyClass("rows", items, items * string_bytes(len(row_key), row_bytes(row))),
        KeyClass("lists", copies * items, items * _list_bytes(list_key, list_bytes, settings)),
        KeyClass("user lists", copies * size.live, size.live * user_list),
        KeyClass("audiences", partitions, size.live * note),
        KeyClass("registries", partitions + shards,
                 round((partitions * seen + shards * known)
                       * (size.id_bytes + _LIST_ENTRY_BYTES))),
        KeyClass("norms", shards, shards * _growing(known * norm.itemsize)),
        KeyClass("popularity", shards, shards * _growing(known * POPULARITY.itemsize)),
        KeyClass("norm feeds", shards, shards * _growing(feed_bytes)),
        _heads(pipeline, partitions, shards),
        *(catalogue if pipeline.catalogue_topic else ()),
        *(_trends(size, settings, shards) if pipeline.catalogue_topic else ()),
    ]  # fmt: skip


def known_by_shard(size: Size, shards: int, *, whole: bool = False) -> float:
    """Return how many items a shard is expected to know: its own, and those in their rows.

    Args:
        size: The amount of state.
        shards: How many shards there are.
        whole: Whether each shard knows all items.
    """
    rows = 2.0 * size.pairs / size.items if size.items else 0.0
    return float(size.items) if whole else _reached(size.items, rows + 1, shards)


def _reached(items: int, times: float, parts: int) -> float:
    """Return how many items one of some parts has, if each item goes to a part so many times."""
    missed: float = (1.0 - 1.0 / parts) ** times
    return items * (1.0 - missed)


def _heads(pipeline: Pipeline, partitions: int, shards: int) -> KeyClass:
    """Return the memory of all heads, each with an offset for every source.

    Sources of histories are the partitions of event topics; those of a shard the partitions of
    histories and of the catalogue. A head of histories has the version of the lists of each shard,
    and that of a shard how far it has seen the norms of each.
    """
    intakes = len(pipeline.source_topics) * partitions if pipeline.is_main else 0
    events = [_offset_bytes(f"{topic}/{partitions}") for topic in pipeline.event_topics]
    histories = _HISTORIES_HEAD_BYTES + partitions * sum(events)
    histories += _allocated(_with_header(_COUNTS_DIGITS * shards))
    catalogue = _offset_bytes(f"c{partitions}") if pipeline.catalogue_topic else 0
    shard = _SHARD_HEAD_BYTES + partitions * (_offset_bytes(f"{partitions}") + catalogue)
    shard += _allocated(_with_header(_POSITION_DIGITS * shards))
    size = intakes * _INTAKE_HEAD_BYTES + partitions * histories + shards * shard
    return KeyClass("heads", intakes + partitions + shards, size)


def _offset_bytes(source: str) -> int:
    return _FIELD_BYTES + _allocated(_with_header(len(offset_name(source)) + 2))


def _growing(size: float) -> int:
    """Return the memory of a string that grows at its end."""
    return string_bytes(_SLOT_KEY_BYTES, size + min(size, _SPARE_BYTES)) if size else 0


def _trends(size: Size, settings: Settings, shards: int) -> list[KeyClass]:
    """Return the memory of categories, if each has full lists and has items in every shard."""
    categories, name = size.categories, "x" * size.id_bytes
    copies = 1 + (settings.list_details == "ids")
    popular = min(settings.top_n, size.items // max(categories * shards, 1))
    top = _allocated(_with_header(POSITION_BYTES + popular * (_POPULAR_BYTES + size.id_bytes)))
    top += _TOP_BYTES + 2 * _allocated(_with_header(size.id_bytes))
    listed = min(settings.top_n, size.items // max(categories, 1))
    content = _LIST_BYTES + size.id_bytes + listed * (_TREND_BYTES + size.id_bytes)
    key = f"{settings.list_prefix}trending:{name}"
    return [
        KeyClass("item categories", shards, shards * size.items * CATEGORY.itemsize),
        KeyClass("tops", 2 * shards, shards * categories * top),
        KeyClass("category lists", copies * categories,
                 categories * _list_bytes(key, content, settings)),
    ]  # fmt: skip


def _list_bytes(key: str, content_bytes: float, settings: Settings) -> int:
    """Return the memory of a list, and of its copy with details if readers see ids alone."""
    size = string_bytes(len(key), content_bytes)
    if settings.list_details == "ids":
        size += string_bytes(len(details_key(settings.state_prefix, key)), content_bytes)
    return size


def string_bytes(key_bytes: int, value_bytes: float) -> int:
    """Return the memory of a string key."""
    return _STRING_BYTES + sum(_allocated(_with_header(size)) for size in (key_bytes, value_bytes))


def _with_header(size: float) -> int:
    """Return the bytes of a string of Redis, with its header and final zero."""
    for limit, header in ((32, 2), (256, 4), (65_536, 6)):
        if size < limit:
            return int(size) + header
    return int(size) + 10


def _allocated(size: int) -> int:
    """Return the size class that jemalloc takes: steps of 16 up to 128, then four a doubling."""
    step = 16 if size <= 128 else 1 << ((size - 1).bit_length() - 3)
    return -(-size // step) * step
