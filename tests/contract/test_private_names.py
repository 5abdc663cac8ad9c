"""Private names of Faust and aiokafka that the project uses: they exist and have their form.

A failure here means that a pinned version changed: read
`streamapp/transport/consuming/consumer.py` and `streamapp/worker/faust_app.py` before raising the
pin.
"""

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import aiokafka
import faust
import faust.streams
import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchPy
from faust.app.base import BootStrategy
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streamapp.config.settings import Settings
from streamapp.transport.consuming.consumer import Consumer
from streamapp.transport.consuming.consumer_thread import ConsumerThread
from streamapp.transport.records import RecordBatch
from streamapp.worker.composition import WorkerApp, create_app

PINNED = {"faust-streaming": "0.15.3", "mode-streaming": "0.7.1", "aiokafka": "0.14.0"}

SIGNATURES: list[tuple[Callable[..., Any], list[str]]] = [
    (driver.Consumer._new_consumer_thread, ["self"]),
    (driver.Consumer.perform_seek, ["self"]),
    (driver.Consumer.getmany, ["self", "timeout"]),
    (driver.Consumer._getmany, ["self", "active_partitions", "timeout"]),
    (driver.Consumer._get_active_partitions, ["self"]),
    (driver.Consumer._new_offset, ["self", "tp"]),
    (driver.Consumer._add_gap, ["self", "tp", "offset_from", "offset_to"]),
    (driver.Consumer._to_message, ["self", "tp", "record"]),
    (driver.Consumer.seek_to_committed, ["self"]),
    (driver.Consumer.seek_wait, ["self", "partitions"]),
    (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
    (BootStrategy._should_enable_web, ["self"]),
    (faust.App._on_agent_error, ["self", "agent", "exc"]),
    (faust.App._create_directories, ["self"]),
    (faust.Schema.loads_value, ["self", "app", "message", "loads", "serializer"]),
    (aiokafka.AIOKafkaProducer.create_batch, ["self"]),
    (aiokafka.AIOKafkaProducer.send_batch, ["self", "batch", "topic", "partition"]),
    (BatchBuilder.append, ["self", "timestamp", "key", "value", "headers"]),
    (fetcher.PartitionRecords._unpack_records, ["self"]),
    (fetcher.FetchResult.getall, ["self", "max_records"]),
    (fetcher.FetchResult.check_assignment, ["self", "tp"]),
    (fetcher.FetchResult.has_more, ["self"]),
    (fetcher.FetchResult._update_position, ["self"]),
    (_DefaultRecordBatchPy._maybe_uncompress, ["self"]),
]


@pytest.fixture
def app() -> WorkerApp:
    """An app that never connects."""
    return create_app(Settings(event_topics=("clicks", "purchases")))


@pytest.fixture
async def consumer(app: WorkerApp) -> Consumer:
    """The app's consumer, not started."""
    app.finalize()
    made = app.consumer
    assert isinstance(made, Consumer)
    return made


@pytest.mark.parametrize("name", PINNED)
def test_the_versions_are_those_whose_private_names_were_read(name: str) -> None:
    """A new version is a decision, not an accident."""
    assert version(name) == PINNED[name]


@pytest.mark.parametrize(
    ("function", "parameters"), SIGNATURES, ids=[f.__qualname__ for f, _ in SIGNATURES]
)
def test_a_private_name_has_the_parameters_it_had(
    function: Callable[..., Any], parameters: list[str]
) -> None:
    """An override or a call with other parameters would fail at run time."""
    assert list(inspect.signature(function).parameters) == parameters


def test_the_compiled_stream_iterator_is_in_use() -> None:
    """Without it, messages of an earlier generation are acknowledged when they are skipped."""
    streams: Any = faust.streams
    assert streams._CStreamIterator is not None


async def test_the_bookkeeping_of_acknowledgements_has_the_names_it_had(
    consumer: Consumer,
) -> None:
    """`_new_offset`, `seek_to` and `getmany` touch them."""
    tp = TP("clicks", 0)
    assert consumer._acked[tp] == []
    assert consumer._acked_index[tp] == set()
    assert consumer._committed_offset[tp] is None
    assert consumer._read_offset[tp] is None
    assert consumer.flow_active
    assert not consumer.can_resume_flow.is_set()


async def test_what_is_committed_is_the_position_and_not_what_was_acknowledged(
    app: WorkerApp, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acknowledged offsets, gaps included, never move the commit."""
    tp = TP("clicks", 0)
    monkeypatch.setattr(app.assignment, "stored_position", lambda _: 17)
    consumer._acked[tp] = [20, 21, 22]
    assert consumer._new_offset(tp) == 17
    assert consumer._acked[tp] == []
    monkeypatch.setattr(app.assignment, "stored_position", lambda _: None)
    assert consumer._new_offset(tp) is None


async def test_a_record_batch_passes_through_a_topic_untouched(
    app: WorkerApp, consumer: Consumer
) -> None:
    """The agents' streams yield the value that the consumer put into the message."""

    class Record:
        topic, partition, offset, timestamp, timestamp_type = "clicks", 0, 5, 1_000, 0
        headers: tuple[()] = ()
        key, value, checksum, serialized_key_size, serialized_value_size = b"", b"", None, 0, 0

    message = consumer._batch_message(TP("clicks", 0), [Record()], 3)
    (agent,) = (agent for agent in app.agents.values() if "intake" in agent.name)
    event = await agent.channel.decode(message)
    assert isinstance(event.value, RecordBatch)
    assert (event.value.tp, event.value.epoch, event.value.end) == (TP("clicks", 0), 3, 6)


@pytest.mark.parametrize("name", ["fetch_max_wait_ms", "isolation_level"])
def test_aiokafka_keeps_what_is_set_under_the_name_that_is_used(name: str) -> None:
    """Faust offers no way to change it."""
    made = aiokafka.AIOKafkaConsumer.__init__
    assert name in inspect.signature(made).parameters
    assert f"self._{name} = {name}" in inspect.getsource(made)


def test_aiokafka_asks_with_the_wait_that_is_set_at_that_moment() -> None:
    """It is read for each request, and Faust fetches where the thread of this app does."""
    assert "self._fetch_max_wait_ms," in inspect.getsource(fetcher.Fetcher._get_actions_per_node)
    assert "self._fetcher = Fetcher(" in inspect.getsource(aiokafka.AIOKafkaConsumer.start)
    thread = driver.AIOKafkaConsumerThread
    assert "self._fetch_records," in inspect.getsource(thread.getmany)
    ours = inspect.signature(ConsumerThread._fetch_records).parameters
    assert list(ours) == list(inspect.signature(thread._fetch_records).parameters)


def test_faust_looks_at_partitions_where_the_consumer_does(consumer: Consumer) -> None:
    """Its own look takes a turn of the event loop for each partition."""
    detector = inspect.getsource(FaustConsumer._commit_livelock_detector.fun)
    assert "await self.verify_all_partitions_active()" in detector
    assert list(inspect.signature(consumer.verify_event_path).parameters) == ["now", "tp"]


def test_aiokafka_keeps_what_the_group_refused_where_it_is_looked_for(consumer: Consumer) -> None:
    """No one reads before there are partitions, so no other call would raise it."""
    started = inspect.getsource(aiokafka.AIOKafkaConsumer.start)
    assert "self._coordinator = GroupCoordinator(" in started
    assert list(inspect.signature(GroupCoordinator.check_errors).parameters) == ["self"]
    assert consumer._thread._consumer is None


def test_aiokafka_reads_record_batches_with_what_is_put_in_its_place() -> None:
    """It also decodes names of headers from a part of the buffer, if it reads them in Python."""
    fetched = inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "records = MemoryRecords(part_data[-1])" in fetched
    assert "partition_records = PartitionRecords(" in fetched
    # Another test of this process may have put the app's own class in its place.
    classes = fetcher.PartitionRecords.__mro__
    own = next(one for one in classes if one.__module__ == fetcher.__name__)
    unpacked = inspect.getsource(own)
    assert "records = self._records\n" in unpacked
    assert "if record.offset < self.next_fetch_offset:" in unpacked
    read = inspect.getsource(_DefaultRecordBatchPy._read_msg)
    assert "buffer = self._buffer\n" in read
    assert 'buffer[pos : pos + h_key_len].decode("utf-8")' in read


def test_faust_assigns_partitions_with_its_own_assignor_and_opens_no_web_port(
    app: WorkerApp,
) -> None:
    """Round robin would separate the topics; the web server would listen on all interfaces."""
    assert app.conf.table_standby_replicas > 0
    assert app.boot_strategy._should_enable_web() is False
    app.conf.web_enabled = True
    assert app.boot_strategy._should_enable_web() is False
