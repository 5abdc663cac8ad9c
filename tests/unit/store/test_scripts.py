"""Scripts: every one that writes to a slot has the guard, and has it once."""

from importlib.resources import files

import pytest

from streamapp.store.redis.scripts import script_text

NAMES = sorted(
    path.name.removesuffix(".lua")
    for path in (files("streamapp.store.slot") / "lua").iterdir()
    if path.name != "guard.lua"
)
READERS = {"read-at", "server-time"}
OF_LISTS = {"replace-lists", "extend-list-expiry"}


@pytest.mark.parametrize("name", NAMES)
def test_a_script_that_writes_to_a_slot_asks_the_guard(name: str) -> None:
    """Lists for frontends are in no slot; their `seq` protects them."""
    text = script_text(name)
    assert text.startswith("#!lua flags=no-writes\n" if name in READERS else "#!lua\n")
    assert text.count("#!lua") == 1
    guarded = name not in READERS | OF_LISTS
    assert text.count("local guard = {}") == guarded


@pytest.mark.parametrize("name", NAMES)
def test_only_the_guard_knows_the_fields_that_protect_a_slot(name: str) -> None:
    """A rule that is written twice changes once."""
    text = (files("streamapp.store.slot") / "lua" / f"{name}.lua").read_text()
    for field in ("'generation'", "'owner'", "'written'"):
        assert field not in text
