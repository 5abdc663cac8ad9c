"""Letters are counted by topic and code, and the newest ones are kept, in bounded memory."""

from streamapp.deadletters.census import Census
from tests.unit.deadletters.letters import letters_of

(LETTER,) = letters_of(b"no json" * 1_000, b"k" * 1_000, [("trace", b"t" * 1_000)])


def test_groups_come_by_their_size_with_their_newest_letter() -> None:
    """A letter that is read later may have been made earlier, in another partition."""
    census = Census(0)
    for made, code in ((3, "a"), (5, "b"), (9, "b"), (4, "b"), (1, "a")):
        census.add(LETTER._replace(made_ms=made, code=code))
    assert census.letters == 5
    assert [(one.code, one.letters, one.newest.made_ms) for one in census.groups] == [
        ("b", 3, 9),
        ("a", 2, 3),
    ]
    assert census.newest == []


def test_the_newest_letters_are_kept_whatever_their_order() -> None:
    """Of letters of one moment, the one that was read last is the newest."""
    census = Census(3)
    for offset, made in enumerate((5, 9, 1, 9, 2, 7)):
        census.add(LETTER._replace(offset=offset, made_ms=made))
    assert [one.offset for one in census.newest] == [3, 1, 5]


def test_no_letter_is_kept_whole_and_no_number_of_codes_fills_the_memory() -> None:
    """Codes come from headers, which any program may write."""
    census = Census(2)
    for number in range(2_000):
        census.add(LETTER._replace(code=f"code-{number}"))
    assert len(census.groups) == 1_001
    assert (census.groups[0].code, census.groups[0].letters) == ("(other)", 1_000)
    for letter in (census.groups[0].newest, *census.newest):
        assert (len(letter.key or b""), len(letter.value or b""), letter.headers) == (200, 200, ())
