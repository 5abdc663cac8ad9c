"""What people see on a terminal."""

import pytest

from streamapp.cli.console import print_table


def test_a_value_that_there_is_not_is_a_dash_among_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The column stays one of numbers, which are set to the right."""
    print_table("Rates", ("what", "value"), [("hr", None), ("judged", 1234)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip("│") for line in lines[4:6]] == [" hr     │     - ", " judged │ 1,234 "]
