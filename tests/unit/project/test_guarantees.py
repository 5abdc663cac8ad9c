"""Every promise in `docs/guarantees.md` names a test, and every test that is named is there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "guarantees.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_is_named_is_there(path: str, name: str) -> None:
    """As a function of that file."""
    source = (PROJECT / path).read_text()
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE)


def test_every_story_of_faults_shows_a_promise() -> None:
    """A story that no promise names is missing from the document; chaos tells no single one."""
    stories = {f"tests/faults/{path.name}" for path in (PROJECT / "tests/faults").glob("test_*.py")}
    others = {"tests/faults/test_chaos_smoke.py"}
    assert stories - others <= {path for path, _ in NAMED}
