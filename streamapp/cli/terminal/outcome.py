"""How a command ends: with an exit code, and on failure with one line that says why."""

import logging
import os
import sys
from errno import EDQUOT, ENOSPC
from typing import NoReturn

import typer

from streamapp.errors import ConfigError, StreamappError

INTERRUPTED = 130


def run(app: typer.Typer, program: str) -> NoReturn:
    """Run the command that the arguments name, and end the process.

    Args:
        app: The commands.
        program: The name of the program, which its messages begin with.
    """
    # aiokafka logs an error and then raises it; the message below reports it once.
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
    except UnicodeEncodeError as error:
        # Ids in logs and records are UTF-8: an argument is not, or the output cannot take it.
        _say(
            program,
            "an argument is not UTF-8"
            if error.encoding == "utf-8"
            else f"standard output takes {error.encoding} only; set PYTHONIOENCODING=utf-8",
        )
        code = ConfigError.exit_code
    except OSError as error:
        # Commands handle errors of files that have a name.
        if error.filename is not None or error.errno not in {ENOSPC, EDQUOT}:
            raise
        _say(program, f"standard output: {error.strerror}; make room, or write it elsewhere")
        _drop_output()
        code = 1
    sys.exit(code)


def _drop_output() -> None:
    """Drop unwritten output: the interpreter would try once more to write it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def _say(program: str, message: str) -> None:
    sys.stderr.write(f"{program}: {' '.join(message.split())}\n")
