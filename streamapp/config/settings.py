"""The schema of the settings: names, types, bounds, defaults, and what each one means.

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
    RedisUrl,
    Seconds,
    TopicName,
    TopicNames,
    TopicOrNone,
    Weights,
)
from streamapp.core.events.orders import MAX_ORDER_ITEMS
from streamapp.core.lists.ranking import Measure
from streamapp.failpoints import EVERY_NAME


class Settings(BaseSettings):
    """What an operator may set, as `STREAMAPP_<NAME>` or in a `.env` file.

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
    """Static member id of this worker, one each; empty for none. Speeds up restarts."""

    event_topics: TopicNames = ("clicks", "purchases")
    """Topics that trackers write to, separated by commas. Changes results."""
    topic_types: Labels = {"clicks": "click", "purchases": "purchase"}
    """Type of an event that leaves it out, `topic=type,...`. Changes results."""
    event_weights: Weights = {"click": 1.0, "add_to_cart": 3.0, "purchase": 5.0}
    """Weight of each event type, `type=weight,...`; over 0. Changes results."""
    event_aliases: Labels = ALIASES
    """Other names of event types, `name=type,...`; they replace the defaults. Changes results."""
    event_formats: Formats = {}
    """Format of the events of a topic, `topic=format,...`: `flat`, where a topic is not named;
    `segment` (also RudderStack and PostHog), `ga4`, `snowplow`, `cloudevents`, `shopify`, `matomo`,
    or `auto`, which decides by the envelope. Changes results."""
    max_order_items: int = Field(MAX_ORDER_ITEMS, ge=1, le=10_000)
    """Most distinct items of one order that count; the rest is a dead letter. Changes results."""
    ignored_users: Ids = ()
    """Ids, separated by commas, that trackers send for people they do not know, such as
    `0,undefined,null`. Their events count for what is trending alone. Changes results."""
    key_mismatch: Literal["refuse", "accept"] = "refuse"
    """Whether an event whose record key is not its user id is refused as `key_mismatch`, or sent to
    the partition of its user all the same. Changes results."""
    earliest_ts: float = 631_152_000.0
    """Oldest event time in seconds; default 1990-01-01. Changes results."""
    max_ahead_s: float = Field(86_400.0, ge=0)
    """How many seconds an event time may lie after now. Changes results."""
    max_record_bytes: int = Field(1_048_576, ge=1_024, le=8_388_608)
    """Largest value of an event record. Changes results."""

    catalogue_topic: TopicOrNone = ""
    """Topic of items, keyed by item id; empty for none. An item that it says is not available, or
    that was deleted, is in no list; what trends is listed by category too. Changes results."""
    content_neighbours: bool = False
    """Whether a product of the CATALOGUE_TOPIC whose list of counts is empty gets neighbours by the
    words of title and category instead. Changes results."""
    interactions_topic: TopicName = "streamapp-interactions"
    """Internal topic of decoded events."""
    deltas_topic: TopicName = "streamapp-deltas"
    """Internal topic of deltas."""
    lists_topic: TopicName = "recommendations"
    """Output topic of fresh lists, compacted."""
    dead_letter_suffix: str = Field(".dlq", pattern=r"^[a-zA-Z0-9._-]{1,40}$")
    """What is added to an event topic's name for its dead letters."""
    partitions: int = Field(4, ge=1, le=1024)
    """Partitions of the topics that `streamapp topics` creates; fixed once there is state. As many
    workers can share them; under load each costs the worker that has it some latency."""
    replication: int = Field(1, ge=1, le=10)
    """Replication factor of the topics that `streamapp topics` creates."""

    history_cap: int = Field(100, ge=1, le=100_000)
    """Most items of a user's history. Changes results."""
    forget_after: float = Field(0.0, ge=0)
    """Seconds of event time without an event after which a user's history begins anew; after twice
    as long it is removed, with all that it adds to counts. 0 is off. Changes results."""
    top_n: int = Field(20, ge=1, le=200)
    """Most entries of a list. Changes results."""
    measure: Measure = "cosine"
    """Score of an item in another's list: `cosine` of their ratings; `jaccard`, of the users who
    have either how many have both; or `confidence`, of those who have the list's item how many have
    this one too. DAMPING is added to the users that the latter two divide by. Changes results."""
    damping: float = Field(0.0, ge=0)
    """Added to both sums of squares of a similarity. Changes results."""
    min_support: int = Field(1, ge=1)
    """Fewest users behind a pair that a list shows. Changes results."""
    half_life: HalfLife = 0.0
    """Seconds of event time after which an interaction counts half in the similarity of items; at
    least 3600, or 0, which is off. Not with DAMPING. Changes results."""
    user_list_ttl: float = Field(86_400.0, ge=0, le=31_536_000)
    """Seconds after a user's last event after which the user's list is removed; 0 is no lists for
    users at all. Changes results."""
    user_depth: int = Field(10, ge=1, le=1_000)
    """How many of a user's newest items a user's list is made from. Changes results."""
    user_fading: float = Field(0.3, gt=0, le=1)
    """Weight of an item of the history, as a share of that of the next newer one. Changes
    results."""
    user_exclude: Literal["seen", "bought", "nothing"] = "seen"
    """What of a user's own history the user's list leaves out: all of it, what has at least the
    weight of a purchase, or nothing. Changes results."""
    trending_half_life: float = Field(86_400.0, ge=0, le=315_360_000)
    """Seconds of event time after which an interaction counts half in what is trending; 0 is no
    such list. Changes results."""
    bought_together: bool = False
    """Whether every item also gets a list of what is bought together with it: in one order
    (`order_id`), or, of purchases without one, by one user. Changes results."""
    bought_after_view: bool = False
    """Whether every item also gets a list of what those buy who look at it. Changes results."""

    judged_share: float = Field(0.1, ge=0, le=1)
    """Share of users whose lists are asked whether they hold what the user does next, for the hit
    rate in `streamapp status`; always the same users. 0 is off."""
    judged_within: float = Field(60.0, gt=0)
    """Lists are asked about events at most so many seconds old; older ones met another list."""

    list_prefix: KeyPrefix = "recs:v1:"
    """Prefix of the keys that frontends read."""
    state_prefix: KeyPrefix = "streamapp:"
    """Prefix of the keys that hold the state."""

    publish_interval: Seconds = 0.2
    """A list changes at most once in so many seconds; one that is new appears at once."""
    checkpoint_interval: Seconds = 0.5
    """Rows and fences are written back once in so many seconds, and when a shard comes to rest."""
    refresh_interval: Seconds = 2.0
    """Lists are brought up to date with moved norms once in so many seconds."""
    row_cache_bytes: int = Field(512 * 1024 * 1024, ge=1_048_576)
    """Memory that a shard's rows may take in a worker; the rest is read from Redis when needed."""

    session_timeout: float = Field(10.0, ge=1, le=300)
    """Seconds of silence after which Kafka gives a worker's partitions to others."""
    fetch_max_wait_ms: int = Field(20, ge=1, le=10_000)
    """How long Kafka may hold back an empty answer."""
    max_poll_records: int = Field(4_000, ge=1, le=100_000)
    """Most records that one read of Kafka hands on."""
    redis_timeout: Seconds = 10.0
    """Seconds after which a Redis call counts as failed."""
    redis_connections: int = Field(32, ge=1, le=10_000)
    """Most connections to Redis at a time, on a cluster to each node. A call that finds none waits
    for its turn. Not with `max_connections` in REDIS_URL."""
    stop_timeout: Seconds = 25.0
    """Seconds that a worker which is asked to end may take; where Kafka or Redis do not answer by
    then, it ends with exit code 1, and what was not stored is read again."""
    failpoint: str = Field("", pattern=rf"^(({'|'.join(EVERY_NAME)}):[1-9][0-9]*(:stop|:raise)?)?$")
    """For tests only: `place:n` kills the worker when it comes to a place for the n-th time;
    `place:n:stop` makes it sleep there, `place:n:raise` fail."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the worker says."""

    @model_validator(mode="after")
    def _fit_each_other(self) -> Self:
        check_all(self)
        return self
