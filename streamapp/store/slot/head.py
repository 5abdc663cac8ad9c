"""The head of a slot: one Redis hash that says how far the slot is. Each kind of slot has a type.

A stage writes most fields in the same script that moves the position (`Slot.commit`), so they are
exact at that position. The other fields are written one by one, by the script or method named here.

==================== ====================== ============================================
stored field         attribute              written by, and meaning
==================== ====================== ============================================
every head
------------------------------------------------------------------------------------------
position             position               commit: first offset of the log that is not applied
fence:<source>       applied_offsets        commit: first offset of each source not applied
mark                 last_record            commit: fingerprint of the last applied record
generation           state_id               create: id of the state that the slot belongs to
results              results                create: settings that change counts, as JSON
begun                begun                  create: first offset of the log that the slot counts
owner                owner                  claim: the worker that may publish for the slot
written              write_token            put-*: names the last write ahead of the position
tick                 clock                  next-timestamp: hybrid logical clock, in milliseconds
blobs, blob_bytes    blobs, blob_bytes      put-blobs: how many blobs are not empty; their bytes
rolled_back          rolled_back            count_rollback: how often Redis went back
rolled_back_offsets  rolled_back_offsets    count_rollback: how many offsets it went back, summed
redis                redis                  note-redis: the Redis on which no list was lost since

histories
------------------------------------------------------------------------------------------
applied              applied                commit: interactions counted
dead                 dead                   commit: dead letters behind the applied cuts
replayed             replayed               commit: interactions dropped as already applied
skipped:<type>       skipped                commit: events of each unknown type
newest_ts            newest_ts              commit: newest event time of the histories
hits, judged, ...    online_metrics         commit: how good the served lists were
due_users            due_users              mark-pending, complete-lists: pending users
seen                 user_lists_version     complete-lists: see below

shards
------------------------------------------------------------------------------------------
dirty                dirty                  commit: rows whose list is not yet published
moved                moved                  commit: items whose norm is not yet in all lists
republish            republish_at           commit: offset from which all lists go out again
rule                 rule                   commit: settings that made the lists, as JSON
published            published              commit: lists that were published, ever
popular, popular_ts  popular, popular_ts    commit: most popular items; their newest event time
replayed             replayed               commit: messages dropped as already applied
heard                last_update_offset     commit: see below
turned               listed_update_offset   commit: see below
norm_feed            norm_feed              commit: name of the norm feed, and its token
norm_feed_bytes      norm_feed_bytes        commit: size of the norm feed
norms_shared         norms_shared           commit: see below
norms_seen           norms_seen             commit: see below
norms_taken          norms_taken            commit: items whose norm was taken have lower numbers
merged               trending_version       set-field: see below; only shard 0
matched              content_version        set-field: see below; only shard 0

catalogue
------------------------------------------------------------------------------------------
dead                 dead                   commit: dead letters
categories_told      categories_told        commit: shards always received categories
==================== ====================== ============================================

Seven of these fields are the protocol between stages. Each says which input an output already
includes. A reader compares it with the input as it is now: if they are equal, nothing is pending.

* `last_update_offset` (heard): the shard applied a catalogue update that affects lists; this is the
  offset behind the last one.
* `listed_update_offset` (turned): all item lists of the shard follow the catalogue updates below
  this offset, or are marked dirty. It reaches `last_update_offset` when an item sweep ends.
* `norms_shared`: the position at which the shard last shared a norm of its items.
* `norms_seen`: the item lists of the shard reflect the norms that each shard shared up to this
  position, except for the items that `moved` names.
* `trending_version` (merged): the positions of all shards whose popularity the trending lists
  include (`positions_text`). User lists follow a catalogue update when the item lists (turned) and
  the trending lists (merged) do.
* `content_version` (matched): the catalogue and the item lists for which no content neighbour was
  missing (`matched_text`).
* `user_lists_version` (seen): the item lists and the trending list with which all user lists of the
  partition were compared (`published_text`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, NamedTuple, Self

import msgspec

from streamapp.core.evaluation.online import OnlineMetrics
from streamapp.core.trending.popularity import Popular
from streamapp.errors import StateError

_OFFSET = "fence:"
_SKIPPED = "skipped:"


class _Codec(NamedTuple):
    """How a value is stored; `encode` returns None for a value that is not written."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes | None]


class _Stored(NamedTuple):
    """A field of the hash.

    Attributes:
        attribute: The attribute that holds it.
        codec: How it is stored.
        committed: Whether `Slot.commit` writes it.
    """

    attribute: str
    codec: _Codec
    committed: bool


_BYTES = _Codec(bytes, bytes)
_TEXT = _Codec(bytes.decode, str.encode)
_COUNT = _Codec(int, lambda count: b"%d" % count)
_TIME = _Codec(float, lambda ts: repr(ts).encode())
_FLAG = _Codec(bool, lambda flag: b"1" if flag else b"")
_OFFSET_OR_NONE = _Codec(
    lambda text: int(text) if text else None, lambda at: b"" if at is None else b"%d" % at
)
_POPULAR = _Codec(msgspec.msgpack.Decoder(list[Popular]).decode, msgspec.msgpack.Encoder().encode)


def _if_any(codec: _Codec) -> _Codec:
    """Return a codec that writes nothing for None."""
    return _Codec(codec.decode, lambda value: None if value is None else codec.encode(value))


def _stored(name: str, codec: _Codec, default: Any, *, committed: bool = True) -> Any:
    """Return a dataclass field that is stored under `name`."""
    return field(default=default, metadata={"name": name, "codec": codec, "committed": committed})


@dataclass(slots=True)
class Head:
    """The fields that every head has.

    Attributes:
        position: First offset of the slot's log that is not applied.
        applied_offsets: First offset of each source in that log that is not applied.
        last_record: Fingerprint of the last applied record; None before the first one.
        state_id: Identifies the state that the slot belongs to.
        results: The settings that change counts, as canonical JSON.
        owner: The worker that claimed the slot.
        write_token: Names the last write that went ahead of the position.
        clock: Hybrid logical clock in milliseconds.
        blobs: Blobs that are not empty.
        blob_bytes: Bytes of these blobs.
        rolled_back: How often Redis was found behind what Kafka says it stored.
        rolled_back_offsets: How many offsets it was behind, all times together.
        begun: First offset of the log that the slot counts; 0 in a state of an older version.
        redis: Identity of the Redis whose lists an owner of the slot last vouched for.
    """

    position: int = _stored("position", _COUNT, 0, committed=False)
    applied_offsets: dict[str, int] = field(default_factory=dict)
    last_record: bytes | None = _stored("mark", _if_any(_BYTES), None)
    state_id: str = _stored("generation", _TEXT, "", committed=False)
    results: str = _stored("results", _TEXT, "", committed=False)
    owner: str = _stored("owner", _TEXT, "", committed=False)
    write_token: bytes = _stored("written", _BYTES, b"", committed=False)
    clock: int = _stored("tick", _COUNT, 0, committed=False)
    blobs: int = _stored("blobs", _COUNT, 0, committed=False)
    blob_bytes: int = _stored("blob_bytes", _COUNT, 0, committed=False)
    rolled_back: int = _stored("rolled_back", _COUNT, 0, committed=False)
    rolled_back_offsets: int = _stored("rolled_back_offsets", _COUNT, 0, committed=False)
    begun: int = _stored("begun", _COUNT, 0, committed=False)
    redis: str = _stored("redis", _TEXT, "", committed=False)

    @classmethod
    def decode(cls, stored: Mapping[str, bytes]) -> Self | None:
        """Return the head that a hash holds, or some of its fields; None without a position.

        Raises:
            StateError: a field holds something else.
        """
        if "position" not in stored:
            return None
        head, known = cls(), _known(cls)
        for name, value in stored.items():
            try:
                head._read(name, value, known)
            except ValueError as error:
                raise StateError(
                    f"redis holds no head of a slot: {name} is {value[:100]!r} ({error}); if "
                    "another program wrote there, count again from the first event with "
                    "`streamapp rebuild`"
                ) from None
        return head

    def encode(self) -> dict[str, bytes]:
        """Return the fields that move with the position, the position itself left out."""
        stored = {_OFFSET + source: b"%d" % at for source, at in self.applied_offsets.items()}
        for name, one in _known(type(self)).items():
            if one.committed:
                value = one.codec.encode(getattr(self, one.attribute))
                if value is not None:
                    stored[name] = value
        return stored

    def _read(self, name: str, value: bytes, known: Mapping[str, _Stored]) -> None:
        """Read a stored field; a field of another kind or version is ignored."""
        if (one := known.get(name)) is not None:
            setattr(self, one.attribute, one.codec.decode(value))
        elif name.startswith(_OFFSET):
            self.applied_offsets[name.removeprefix(_OFFSET)] = int(value)


@dataclass(slots=True)
class IntakeHead(Head):
    """The position in one partition of an event topic."""


@dataclass(slots=True)
class HistoriesHead(Head):
    """The histories of one interactions partition.

    Attributes:
        applied: Interactions that were counted.
        dead: Dead letters behind the cuts that were applied.
        replayed: Interactions that were dropped because they were applied before.
        skipped: Events of each unknown type.
        newest_ts: Newest event time in seconds; -inf without any.
        online_metrics: How good the lists were that users had.
        due_users: Users who wait for a list.
        user_lists_version: The lists with which all user lists were compared.
        departures: The newest events that ended a history, encoded; None if none did since the last
            commit.
    """

    applied: int = _stored("applied", _COUNT, 0)
    dead: int = _stored("dead", _COUNT, 0)
    replayed: int = _stored("replayed", _COUNT, 0)
    skipped: dict[str, int] = field(default_factory=dict)
    newest_ts: float = _stored("newest_ts", _TIME, -inf)
    online_metrics: OnlineMetrics = field(default_factory=OnlineMetrics)
    due_users: int = _stored("due_users", _COUNT, 0, committed=False)
    user_lists_version: str = _stored("seen", _TEXT, "", committed=False)
    departures: bytes | None = _stored("departures", _if_any(_BYTES), None)

    @classmethod
    def decode(cls, stored: Mapping[str, bytes]) -> Self | None:
        """Return the head that a hash holds; None without a position.

        Raises:
            StateError: a field holds something else.
        """
        head = super(HistoriesHead, cls).decode(stored)
        if head is not None:
            head.online_metrics = OnlineMetrics.read(stored)
        return head

    def encode(self) -> dict[str, bytes]:
        """Return the fields that move with the position, the position itself left out."""
        skipped = {_SKIPPED + name: b"%d" % count for name, count in self.skipped.items()}
        return super(HistoriesHead, self).encode() | skipped | self.online_metrics.stored()

    def _read(self, name: str, value: bytes, known: Mapping[str, _Stored]) -> None:
        if name.startswith(_SKIPPED):
            self.skipped[name.removeprefix(_SKIPPED)] = int(value)
        else:
            super(HistoriesHead, self)._read(name, value, known)


@dataclass(slots=True)
class ShardHead(Head):
    """The rows of one shard.

    Attributes:
        dirty: Rows whose list is not yet published, by number, as `pack_flags` encodes them.
        moved: Items whose norm is not yet in all lists, in the same form.
        republish_at: Offset from which every list is published again; None for none.
        rule: The settings that made the lists, as canonical JSON; None before the first checkpoint.
        published: Lists that were published, ever; None before the first checkpoint.
        popular: The most popular items of the shard, best first.
        popular_ts: Newest event time behind them in seconds; -inf without any.
        replayed: Messages that were dropped because they were applied before.
        last_update_offset: The offset behind the last catalogue update that affects lists.
        listed_update_offset: All lists follow the catalogue updates below this offset.
        norm_feed: Name and token of the norm feed; "" before the first one.
        norm_feed_bytes: Size of the norm feed.
        norms_shared: The position at which the shard last shared a norm.
        norms_seen: Positions of the shards up to which the lists reflect shared norms, as text.
        norms_taken: The items whose norm was taken from another shard have lower numbers.
        trending_version: Positions of the shards that the trending lists include.
        content_version: The input for which no content neighbour was missing.
    """

    dirty: bytes = _stored("dirty", _BYTES, b"")
    moved: bytes = _stored("moved", _BYTES, b"")
    republish_at: int | None = _stored("republish", _OFFSET_OR_NONE, None)
    rule: str | None = _stored("rule", _if_any(_TEXT), None)
    published: int | None = _stored("published", _if_any(_COUNT), None)
    popular: list[Popular] = field(
        default_factory=list, metadata={"name": "popular", "codec": _POPULAR, "committed": True}
    )
    popular_ts: float = _stored("popular_ts", _TIME, -inf)
    replayed: int = _stored("replayed", _COUNT, 0)
    last_update_offset: int = _stored("heard", _COUNT, 0)
    listed_update_offset: int = _stored("turned", _COUNT, 0)
    norm_feed: str = _stored("norm_feed", _TEXT, "")
    norm_feed_bytes: int = _stored("norm_feed_bytes", _COUNT, 0)
    norms_shared: int = _stored("norms_shared", _COUNT, 0)
    norms_seen: str = _stored("norms_seen", _TEXT, "")
    norms_taken: int = _stored("norms_taken", _COUNT, 0)
    trending_version: str = _stored("merged", _TEXT, "", committed=False)
    content_version: str = _stored("matched", _TEXT, "", committed=False)


@dataclass(slots=True)
class CatalogueHead(Head):
    """The products of one catalogue partition.

    Attributes:
        dead: Dead letters.
        categories_told: Whether shards received the category of every product.
    """

    dead: int = _stored("dead", _COUNT, 0)
    categories_told: bool = _stored("categories_told", _FLAG, default=False)


def stored_names(kind: type[Head], attributes: tuple[str, ...]) -> list[str]:
    """Return the stored field of each attribute.

    Raises:
        KeyError: an attribute is not kept in one field.
    """
    names = {one.attribute: name for name, one in _known(kind).items()}
    return [names[attribute] for attribute in attributes]


def offset_name(source: str) -> str:
    """Return the stored field of the applied offset of a source."""
    return _OFFSET + source


def _known(kind: type[Head]) -> dict[str, _Stored]:
    """Return, by stored name, the attributes of a head that are kept in one field each."""
    if kind not in _TABLES:
        _TABLES[kind] = {
            one.metadata["name"]: _Stored(
                one.name, one.metadata["codec"], one.metadata["committed"]
            )
            for one in fields(kind)
            if one.metadata
        }
    return _TABLES[kind]


_TABLES: dict[type[Head], dict[str, _Stored]] = {}
