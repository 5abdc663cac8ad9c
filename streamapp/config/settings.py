"""The one frozen settings object, and the only reader of the environment."""

import math
import os
from collections import Counter
from functools import cache
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from streamapp.config.env_check import ENV_FILE, PREFIX, readable, refuse_unknown
from streamapp.config.setting_types import (
    ALIASES,
    BrokerUrl,
    HalfLife,
    KeyPrefix,
    Labels,
    RedisUrl,
    Seconds,
    TopicName,
    TopicNames,
    TopicOrNone,
    Weights,
)
from streamapp.core.events.event import EventRules
from streamapp.core.histories.decay import Decay
from streamapp.core.lists.blending import Blend
from streamapp.core.lists.ranking import Measure, Rule
from streamapp.errors import ConfigError
from streamapp.failpoints import EVERY_NAME

_KNOWN_TYPES = {"click", "add_to_cart", "purchase"}


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
    """Other names of event types, `name=type,...`. Changes results."""
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
    stop_timeout: Seconds = 25.0
    """Seconds that a worker which is asked to end may take; where Kafka or Redis do not answer by
    then, it ends with exit code 1, and what was not stored is read again."""
    failpoint: str = Field("", pattern=rf"^(({'|'.join(EVERY_NAME)}):[1-9][0-9]*(:stop|:raise)?)?$")
    """For tests only: `place:n` kills the worker when it comes to a place for the n-th time;
    `place:n:stop` makes it sleep there, `place:n:raise` fail."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the worker says."""

    @model_validator(mode="after")
    def _names_fit(self) -> "Settings":
        targets = {*self.event_aliases.values(), *self.topic_types.values()}
        if unknown := sorted(targets - set(self.event_weights) - _KNOWN_TYPES):
            raise ValueError(f"EVENT_WEIGHTS has no weight for {', '.join(unknown)}")
        if self.user_exclude == "bought" and "purchase" not in self.event_weights:
            raise ValueError("USER_EXCLUDE=bought needs the weight of a purchase in EVENT_WEIGHTS")
        for name in ("bought_together", "bought_after_view"):
            if getattr(self, name) and "purchase" not in self.event_weights:
                raise ValueError(f"{name.upper()} needs the weight of a purchase in EVENT_WEIGHTS")
        if self.half_life and self.damping:
            raise ValueError(
                "DAMPING must be 0 with HALF_LIFE: what fades has no scale that it is added to"
            )
        if self.half_life and self.earliest_ts < 0:
            raise ValueError("HALF_LIFE needs an EARLIEST_TS of 0 or more: it counts from 1970 on")
        topics = Counter([*self.state_topics, self.lists_topic])
        if twice := [name for name, times in topics.items() if times > 1]:
            raise ValueError(f"{twice[0]} is named twice: each name must be of a topic of its own")
        if self.content_neighbours and not self.catalogue_topic:
            raise ValueError("CONTENT_NEIGHBOURS needs a CATALOGUE_TOPIC")
        prefixes = self.list_prefix, self.state_prefix
        if any(one.startswith(other) for one, other in (prefixes, reversed(prefixes))):
            raise ValueError("neither of LIST_PREFIX and STATE_PREFIX must lie under the other")
        return self

    @property
    def bootstrap(self) -> list[str]:
        """The brokers as `host:port`."""
        return urlsplit(self.broker_url).netloc.split(",")

    @property
    def source_topics(self) -> tuple[str, ...]:
        """The topics that others write to."""
        catalogue = (self.catalogue_topic,) if self.catalogue_topic else ()
        return *self.event_topics, *catalogue

    @property
    def state_topics(self) -> tuple[str, ...]:
        """The topics whose records end up in the state."""
        return *self.source_topics, *self.internal_topics

    @property
    def internal_topics(self) -> tuple[str, str]:
        """Those of them that only this app writes to."""
        return self.interactions_topic, self.deltas_topic

    @property
    def event_rules(self) -> EventRules:
        """How events are read."""
        types = {name: to for name, to in self.event_aliases.items() if to in self.event_weights}
        return EventRules(
            types=types | {kind: kind for kind in self.event_weights},
            implied=self.topic_types,
            earliest_ts=self.earliest_ts,
            max_ahead_s=self.max_ahead_s,
            max_record_bytes=self.max_record_bytes,
            check_keys=self.key_mismatch == "refuse",
        )

    @property
    def rule(self) -> Rule:
        """What makes a list."""
        return Rule(self.top_n, self.damping, self.min_support, self.measure)

    @property
    def user_rule(self) -> Blend:
        """What makes a user's list."""
        purchase = self.event_weights.get("purchase", math.inf)
        exclude_from = {"seen": 0.0, "bought": purchase, "nothing": math.inf}[self.user_exclude]
        return Blend(
            self.top_n, self.user_depth, self.user_fading, rated=True, exclude_from=exclude_from
        )

    @property
    def decay(self) -> Decay | None:
        """How interactions fade; None where they do not."""
        return Decay(self.half_life) if self.half_life else None


@cache
def load_settings() -> Settings:
    """Return the settings of this process.

    Raises:
        ConfigError: a value is impossible; names the variable, the value and what is allowed.
    """
    try:
        refuse_unknown(os.environ, Settings.model_fields)
        return Settings()
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(readable(error)) from None
