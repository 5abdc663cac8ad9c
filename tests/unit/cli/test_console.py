"""The output on a terminal."""

import pytest

from streamapp.cli.terminal.console import print_table


def test_a_value_that_there_is_not_is_a_dash_among_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The column stays one of numbers, which are set to the right."""
    print_table("Rates", ("what", "value"), [("hr", None), ("judged", 1234)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip("│") for line in lines[4:6]] == [" hr     │     - ", " judged │ 1,234 "]


def test_an_id_cannot_tell_the_terminal_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Trackers choose ids; control characters of either set are escaped, letters stay."""
    print_table("a\x1b[2J", ("id",), [("\x1b]0;owned\x07",), ("\x9b31m",), ("b\nc",), ("日本語",)])
    printed = capsys.readouterr().out
    assert not set(printed) & {"\x1b", "\x07", "\x9b"}
    for spelt in (r"a\x1b[2J", r"\x1b]0;owned\x07", r"\x9b31m", r"b\x0ac", "日本語"):
        assert spelt in printed
