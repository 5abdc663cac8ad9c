"""Documents agree with the code: settings, codes, commands, decision records."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from streamapp.config.env_check import PREFIX
from streamapp.config.settings import Settings
from streamapp.core.events.catalogue_record import CATALOGUE_CODES
from streamapp.core.events.refusals import CODES

PROJECT = Path(__file__).parents[3]
DOCS = PROJECT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), PROJECT / "README.md", PROJECT / "CONTRIBUTING.md"]


def in_text(default: Any) -> str:
    """Return a default in the form of an environment variable."""
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, dict):
        return ",".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
                        for name, value in default.items())  # fmt: skip
    if isinstance(default, float):
        return f"{default:.10g}"
    return json.dumps(default) if isinstance(default, bool) else str(default)


def settings_table() -> str:
    """Return the table that `docs/settings.md` must hold."""
    rows = [
        f"| `{PREFIX}{name.upper()}` | {f'`{value}`' if (value := in_text(field.default)) else ''} "
        f"| {' '.join((field.description or '').split())} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def test_the_table_of_settings_is_that_of_the_code() -> None:
    """Every setting is in the table with its default and its description, and no other is."""
    written = (DOCS / "settings.md").read_text()
    assert settings_table() in written


def test_every_setting_says_what_it_means() -> None:
    """Each field has a docstring."""
    assert all(field.description for field in Settings.model_fields.values())


def test_the_table_of_error_codes_is_that_of_the_code() -> None:
    """The list of codes is closed and documented."""
    written = (DOCS / "contracts.md").read_text()
    assert (
        dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", written, re.MULTILINE))
        == CODES | CATALOGUE_CODES
    )


def test_every_decision_record_is_listed_and_whole() -> None:
    """Each record has the same headings."""
    listed = set(re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (DOCS / "adr" / "README.md").read_text()))
    records = sorted((DOCS / "adr").glob("[0-9]*.md"))
    assert {record.name for record in records} == listed
    for record in records:
        text = record.read_text()
        for heading in (
            "Status",
            "Context",
            "Decision",
            "Consequences",
            "We would change our mind",
        ):
            assert f"**{heading}" in text, (record.name, heading)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_paths_in_backticks_exist(path: Path) -> None:
    """Every path of the tree names a file, a folder, or a module without `.py`."""
    for named in re.findall(
        r"`((?:streamapp|tests|loadtest|demo|docs)/[^`:\s]*)", path.read_text()
    ):
        target = PROJECT / named
        assert target.exists() or target.with_name(f"{target.name}.py").exists(), named
