"""Cli. How a command ends: with an exit code, and where it fails with one line that says why."""

import logging
import sys
from typing import NoReturn

import typer

from streamapp.errors import StreamappError

INTERRUPTED = 130


def run(app: typer.Typer, program: str) -> NoReturn:
    """Run the command that the arguments name, and end the process.

    Args:
        app: The commands.
        program: What the program is called, also before its messages.
    """
    # aiokafka logs what it then raises; the message below says it once.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        code = app(prog_name=program, standalone_mode=False)
    except StreamappError as error:
        _say(program, str(error))
        code = error.exit_code
    except typer.TyperException as error:
        _say(program, f"{error.format_message()} (see {program} --help)")
        code = error.exit_code
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _say(program: str, message: str) -> None:
    sys.stderr.write(f"{program}: {' '.join(message.split())}\n")
