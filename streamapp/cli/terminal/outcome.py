"""How a command ends: with an exit code, and on failure with one line that says why."""

import logging
import os
import sys
from errno import EDQUOT, ENOSPC
from typing import NoReturn

import typer

from streamapp.errors import ConfigError, StreamappError
from streamapp.printable import visible

INTERRUPTED = 130

HELP = {"help_option_names": ["-h", "--help"]}
"""Context settings of every program: how its commands are asked for help."""


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
        _say(program, f"{error.format_message()}{_dash_hint(error)} (see {program} --help)")
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


def _dash_hint(error: typer.TyperException) -> str:
    """Return what to type where an argument may have been taken for options; else nothing."""
    option, context = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    if context is None or not option or option.startswith("--"):
        return ""
    if not any(one.param_type_name == "argument" for one in context.command.params):
        return ""
    meant = next((text for text in sys.argv[1:] if text.startswith(option)), option)
    return f"; an argument with a dash goes behind --, as in {context.command_path} -- {meant}"


def _say(program: str, message: str) -> None:
    sys.stderr.write(f"{program}: {visible(' '.join(message.split()))}\n")
