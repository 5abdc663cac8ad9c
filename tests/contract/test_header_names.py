"""The pinned aiokafka cannot read header names that are not UTF-8."""

import subprocess
import sys

PROGRAM = """
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from tests.support.batches import Name, builder

made = builder()
made.append(0, 1_000, None, b"value", [(Name("\\xff"), b"1")])
records = fetcher.MemoryRecords(bytes(made.build()))
settings = (None, None, True, fetcher.READ_COMMITTED)
list(fetcher.PartitionRecords(TopicPartition("t", 0), records, None, 0, *settings))
"""


def test_aiokafka_still_needs_to_be_taught_such_names() -> None:
    """When this fails, delete `transport/consuming/lenient_headers.py`, its tests and this one."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"UnicodeDecodeError" in done.stderr
