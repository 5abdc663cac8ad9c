"""Elements of JSON arrays, one by one."""

import json
from pathlib import Path

import pytest

from streamapp.errors import ConfigError
from streamapp.feeds import json_array
from streamapp.feeds.json_array import elements


@pytest.mark.parametrize("block", [1, 2, 7, 65_536])
def test_elements_are_those_of_a_whole_reader_wherever_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Numbers, escapes and brackets in texts may be cut anywhere."""
    monkeypatch.setattr(json_array, "_BLOCK", block)
    values = [{"a": [1, {"b": '"]},'}]}, 12345, -1.5e10, "x\\\u00e9", None, [], {}]
    path = tmp_path / "a.json"
    for pretty in (None, 2):
        path.write_text(json.dumps({"next": "[", "products": values, "more": 1}, indent=pretty))
        assert list(elements(path, "products")) == values
        path.write_text("  " + json.dumps(values, indent=pretty))
        assert list(elements(path, "products")) == values


@pytest.mark.parametrize("text", [
    '{"products": [{"a": 1}', '{"products": [{"a": 1},', '{"products": [{"a": 1} {"a": 2}]}',
    '{"products": [{"a": }]}', '{"products": [1,]}', '{"products": [' + "[" * 100_000,
])  # fmt: skip
def test_an_array_that_is_malformed_or_ends_early_is_refused(tmp_path: Path, text: str) -> None:
    """Its items would seem to be gone."""
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"a.json: the JSON is malformed"):
        list(elements(path, "products"))


def test_an_element_without_an_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file behind it is not read."""
    monkeypatch.setattr(json_array, "_BLOCK", 100)
    monkeypatch.setattr(json_array, "_MOST_CHARACTERS", 1_000)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(["x" * 5_000]))
    with pytest.raises(ConfigError, match="more than 1,000 characters"):
        list(elements(path, "products"))
