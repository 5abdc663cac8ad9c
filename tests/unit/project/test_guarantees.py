"""Every promise in `docs/guarantees.md` names a test, and says which command runs it."""

import re
from pathlib import Path

import pytest

from tests.conftest import WHERE

PROJECT = Path(__file__).parents[3]
TEXT = (PROJECT / "docs" / "guarantees.md").read_text()
SIGNS = {"": "make test", "C": ".ci/run", "K": ".ci/run on Kafka", "F": "make test-full"}
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`(?: \((\w)\))?", TEXT)))


@pytest.mark.parametrize(
    ("path", "name", "sign"), NAMED, ids=["-".join(filter(None, one[1:])) for one in NAMED]
)
def test_a_test_that_is_named_is_there_and_runs_where_its_sign_says(
    request: pytest.FixtureRequest, path: str, name: str, sign: str
) -> None:
    """As a function of that file; by its marks, if its file is collected in this run."""
    source = (PROJECT / path).read_text()
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE)
    where = request.config.stash[WHERE]
    if any(test.startswith(f"{path}::") for test in where):
        assert where[f"{path}::{name}"] == SIGNS[sign]


def test_signs_are_explained() -> None:
    """Each sign is beside its command."""
    for sign, command in SIGNS.items():
        kind, _, backend = command.partition(" on ")
        row = f"| {f'({sign})' if sign else 'none'} | `{kind}`{f' on {backend}' if backend else ''}"
        assert row in TEXT


def test_every_story_of_faults_shows_a_promise() -> None:
    """A story without a guarantee is missing from the document; chaos shows no single one."""
    stories = {f"tests/faults/{path.name}" for path in (PROJECT / "tests/faults").glob("test_*.py")}
    others = {"tests/faults/test_chaos_smoke.py"}
    assert stories - others <= {path for path, _, _ in NAMED}
