"""Lists that may be older than the truth by a tolerance: members and order are exact."""

from collections.abc import Mapping, Sequence

Lists = Mapping[str, Sequence[tuple[str, float, int]]]
"""By item: id, score and support of each entry, best first."""

_ROUNDING = 1e-9


def assert_close(found: Lists, expected: Lists, tolerance: float) -> None:
    """Compare lists; without a tolerance they are equal to the bit, support included.

    With one, members, their order and whether an entry has support are exact, and true scores
    differ from the found ones by at most this share of them.
    """
    if not tolerance:
        assert found == expected
        return
    assert _members(found) == _members(expected)
    for name, entries in found.items():
        for (_, score, _), (_, true, _) in zip(entries, expected[name], strict=True):
            assert abs(true - score) <= tolerance * score + _ROUNDING, (name, score, true)


def _members(lists: Lists) -> dict[str, list[tuple[str, bool]]]:
    return {
        name: [(item, support > 0) for item, _, support in entries]
        for name, entries in lists.items()
    }
