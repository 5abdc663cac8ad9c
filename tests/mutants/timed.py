"""Runs pytest, and writes how long each test took: `python -m tests.mutants.timed FILE ...`."""

import sys
from pathlib import Path

import pytest

from tests.mutants.plugins import Clock

if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[2:], [Clock(Path(sys.argv[1]))]))
