"""Keys go to the partitions that Kafka's own clients would choose."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from streamapp.core.ids.partitioner import partitions_of
from streamapp.importing.partitions import partitions_of as imported_to


@given(st.lists(st.binary(max_size=40)), st.integers(1, 1000))
def test_every_key_lies_where_another_client_looks_for_it(
    keys: list[bytes], partitions: int
) -> None:
    """For any bytes and any length."""
    numbers, partition_of = list(range(partitions)), DefaultPartitioner()
    expected = [partition_of(key, numbers, numbers) for key in keys]
    assert partitions_of(keys, partitions) == expected
    assert imported_to(keys, partitions) == expected
