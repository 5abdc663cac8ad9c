"""The schema of the settings: names, types, bounds, defaults and descriptions.

`docs/settings.md` is made from the docstrings of the fields.
"""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streamapp.config.cross_checks import check_all
from streamapp.config.env_check import ENV_FILE, PREFIX
from streamapp.config.setting_types import (
    ALIASES,
    BrokerUrl,
    Formats,
    HalfLife,
    Ids,
    KeyPrefix,
    Labels,
    LogLevel,
    RedisUrl,
    Seconds,
    TopicName,
    TopicNames,
    TopicOrNone,
    Weights,
)
from streamapp.core.events.orders import MAX_ORDER_ITEMS
from streamapp.core.lists.ranking import Measure
from streamapp.failpoints import EVERY_NAME, REBUILD_NAMES


class Settings(BaseSettings):
    """The settings, from variables `STREAMAPP_<NAME>` or a `.env` file.

    Every field says whether it changes results (counts or lists) or only speed and behaviour.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    broker_url: BrokerUrl = "kafka://127.0.0.1:9092"
    """Kafka, as `kafka://host:port[,host:port]`."""
    redis_url: RedisUrl = "redis://127.0.0.1:6379/0"
    """Redis, as `redis://[user:password@]host:port/db`, or `rediss://` for TLS."""
    redis_cluster: bool = False
    """Whether `redis_url` names a node of a Redis Cluster."""
    group_id: str = Field("streamapp", pattern=r"^[a-zA-Z0-9._-]{1,200}$")
    """Kafka consumer group of the workers."""
    instance_id: str = ""
    """Static member id of this worker, unique in the group; empty for none. Speeds up restarts.
    When the topics that workers read change, stop all workers and wait for `SESSION_TIMEOUT`."""

    event_topics: TopicNames = ("clicks", "purchases")
    """Topics that trackers write to, separated by commas. Changes results."""
    topic_types: Labels = {"clicks": "click", "purchases": "purchase"}
    """Type of events that do not name their type, `topic=type,...`. Changes results."""
    event_weights: Weights = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}
    """Weight of each event type, `type=weight,...`; over 0. Changes results."""
    event_aliases: Labels = ALIASES
    """Other names of event types, `name=type,...`; they replace the defaults. Changes results."""
    event_formats: Formats = {}
    """Format of the events of a topic, `topic=format,...`: `flat` (the default), `segment` (also
    RudderStack and PostHog), `ga4`, `snowplow`, `cloudevents`, `shopify`, `matomo`, or `auto`,
    which decides by the envelope. Changes results."""
    max_order_items: int = Field(MAX_ORDER_ITEMS, ge=1, le=10_000)
    """Most distinct items of one order that count; the rest is a dead letter. Changes results."""
    ignored_users: Ids = ()
    """Ids, separated by commas, that trackers send for people they do not know, such as
    `0,undefined,null`. Their events count only for trending items. Changes results."""
    key_mismatch: Literal["refuse", "accept"] = "refuse"
    """An event whose record key is not its user id: `refuse` makes it a dead letter with the code
    `key_mismatch`; `accept` sends it to the partition of its user. Changes results."""
    earliest_ts: float = 631_152_000.0
    """Oldest allowed event time in seconds; the default is 1990-01-01. Changes results."""
    max_ahead_s: float = Field(86_400.0, ge=0)
    """How many seconds an event time may be ahead of the time of its record. Changes results."""
    max_record_bytes: int = Field(1_048_576, ge=1_024, le=2_097_152)
    """Most bytes of the value of an event record. Changes results."""

    catalogue_topic: TopicOrNone = ""
    """Topic of items, keyed by item id; empty for none. An item that is not available or was
    deleted is in no list, and trending items are listed by category too. Changes results."""
    content_neighbours: bool = False
    """Whether a product of the CATALOGUE_TOPIC without neighbours from counts gets neighbours by
    the words of title and category. Changes results."""
    interactions_topic: TopicName = "streamapp-interactions"
    """Internal topic of decoded events."""
    deltas_topic: TopicName = "streamapp-deltas"
    """Internal topic of deltas."""
    lists_topic: TopicName = "recommendations"
    """Output topic of lists, compacted."""
    dead_letter_suffix: str = Field(".dlq", pattern=r"^[a-zA-Z0-9._-]{1,40}$")
    """Suffix of an event topic's name that gives the name of its dead-letter topic."""
    partitions: int = Field(4, ge=1, le=1024)
    """Partitions of the topics that `streamapp topics` creates; fixed once there is state, and
    changed by `streamapp rebuild --from-histories`. At most as many workers can share the work.
    Under load each partition of a worker adds some latency."""
    replication: int = Field(1, ge=1, le=10)
    """Replication factor of the topics that `streamapp topics` creates."""

    history_cap: int = Field(100, ge=1, le=100_000)
    """Most items of a user's history. Changes results."""
    forget_after: float = Field(0.0, ge=0)
    """Seconds of event time without an event after which a user begins a new history; after twice
    as long the history and its counts are removed. 0 is off. Changes results."""
    top_n: int = Field(20, ge=1, le=200)
    """Most entries of a list. Changes results."""
    measure: Measure = "cosine"
    """Score of an item in another's list. `cosine`: cosine of their ratings. `jaccard`: users with
    both / users with either. `confidence`: users with both / users with the list's item. DAMPING
    is added to the divisor of the last two. Changes results."""
    damping: float = Field(0.0, ge=0)
    """Added to both sums of squares of a similarity. Changes results."""
    min_support: int = Field(1, ge=1)
    """Fewest users behind each entry of a list. Changes results."""
    list_tolerance: float = Field(0.01, ge=0, lt=1)
    """A published list is replaced if its members or their order change, or if a score moves by
    more than this share of the published one. Members and order of idle lists are exact, scores to
    this share. 0: every change is published, and scores are exact to 1e-9. Changes results."""
    list_details: Literal["full", "ids"] = "full"
    """What lists say beside their members: `full`, or `ids` for entries without score and support,
    and lists without `as_of`. Members and order are the same. With `ids` the state keeps each list
    with its details as well. Changes results."""
    half_life: HalfLife = 0.0
    """Seconds of event time after which an interaction counts half in the similarity of items; at
    least 3600, or 0, which is off. Not with DAMPING. Changes results."""
    user_list_ttl: float = Field(86_400.0, ge=0, le=31_536_000)
    """Seconds from a user's last event until the user's list is removed; 0 is no lists for users.
    Changes results."""
    user_depth: int = Field(10, ge=1, le=1_000)
    """Number of a user's newest items from which the user's list is made. Changes results."""
    user_fading: float = Field(0.3, gt=0, le=1)
    """Weight of an item of the history, as a share of the weight of the next newer item. Changes
    results."""
    user_exclude: Literal["seen", "bought", "nothing"] = "seen"
    """Items of the user's history that the user's list leaves out: all, those with at least the
    weight of a purchase, or none. Changes results."""
    trending_half_life: float = Field(86_400.0, ge=0, le=315_360_000)
    """Seconds of event time after which an interaction counts half for trending items; 0 is no
    lists of trending items. Changes results."""
    trending_repeats: Literal["daily", "all"] = "daily"
    """Which interactions with an item that is already in the user's history add to trending items.
    `daily`: those that raise the rating, or fall on a later UTC day than the last one. `all`: every
    one. Changes results."""
    bought_together: bool = False
    """Whether every item also gets a list of the items bought together with it: in one order
    (`order_id`), or by one user for purchases without an order. Changes results."""
    bought_after_view: bool = False
    """Whether every item also gets a list of the items that its viewers buy. Changes results."""

    judged_share: float = Field(0.1, ge=0, le=1)
    """Share of users whose stored list is compared with what they do next, for the hit rate in
    `streamapp status`; always the same users; 0 is off."""
    judged_within: float = Field(60.0, gt=0)
    """Age in seconds of the oldest event that is compared with a list; users of older events saw
    another list."""

    list_prefix: KeyPrefix = "recs:v1:"
    """Prefix of the keys that frontends read."""
    state_prefix: KeyPrefix = "streamapp:"
    """Prefix of the keys that hold the state."""

    publish_interval: Seconds = 0.2
    """Shortest time in seconds between two versions of a list; a new list appears at once."""
    checkpoint_interval: Seconds = 0.5
    """Seconds between checkpoints of a shard; up to five where a busy worker has many shards."""
    refresh_interval: Seconds = 2.0
    """Seconds within which lists follow changed norms on an idle system; ten times as many while
    events come in."""
    refresh_cpu: float = Field(0.1, gt=0, le=1)
    """Share of a core for sweeps over lists while events come in; two seconds after the last event
    they get all of it."""
    row_cache_bytes: int = Field(512 * 1024 * 1024, ge=1_048_576)
    """Bytes of memory for a shard's rows in a worker; Redis has the others."""

    session_timeout: float = Field(10.0, ge=1, le=300)
    """Seconds of silence after which Kafka gives a worker's partitions to others."""
    fetch_max_wait_ms: int = Field(20, ge=1, le=10_000)
    """Milliseconds for which Kafka may hold back an empty answer. After a second without records it
    is longer for a worker of more than 32 partitions of all topics: by their number over 32."""
    max_poll_records: int = Field(4_000, ge=1, le=100_000)
    """Most records that one read of Kafka returns."""
    redis_timeout: Seconds = 10.0
    """Seconds after which a Redis call counts as failed."""
    redis_connections: int = Field(32, ge=1, le=10_000)
    """Most connections to Redis at a time, on a cluster to each node. A call that finds no free
    connection waits for its turn. Not with `max_connections` in REDIS_URL."""
    stop_timeout: Seconds = 25.0
    """Seconds within which a worker ends after SIGTERM. If Kafka or Redis do not answer until then,
    it ends with exit code 1, and the next worker reads the records that were not stored."""
    failpoint: str = Field(
        "", pattern=rf"^(({'|'.join((*EVERY_NAME, *REBUILD_NAMES))}):[1-9][0-9]*(:stop|:raise)?)?$"
    )
    """For tests only: `name:n` kills the worker when it reaches the failpoint for the n-th time;
    `name:n:stop` makes it sleep there, `name:n:raise` fail."""
    failpoints_enabled: bool = False
    """For tests only: without it, FAILPOINT does nothing."""
    log_level: LogLevel = "info"
    """Lowest level of the lines that the worker logs: `debug`, `info`, `warning` or `error`."""

    @property
    def active_failpoint(self) -> str:
        """The failpoint at which the process dies; "" unless failpoints are enabled."""
        return self.failpoint if self.failpoints_enabled else ""

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        check_all(self)
        return self
