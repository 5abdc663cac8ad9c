"""The rooms: who may import whom, how large a file may be, and that imports have no effects."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "streamapp"
FILES = sorted(PACKAGE.rglob("*.py"))
OUTSIDE = {"faust", "mode", "aiokafka", "redis", "typer", "rich", "pydantic", "pydantic_settings"}
IMPURE = OUTSIDE | {"os", "time", "random", "logging", "asyncio", "socket", "subprocess", "secrets"}

FORBIDDEN = {
    "core": IMPURE | {"streamapp.settings", "streamapp.store", "streamapp.transport",
                      "streamapp.agents", "streamapp.app", "streamapp.cli"},
    "store": {"faust", "mode", "aiokafka", "typer", "rich", "streamapp.transport",
              "streamapp.agents", "streamapp.app", "streamapp.cli"},
    "transport": {"redis", "typer", "rich", "streamapp.store", "streamapp.agents",
                  "streamapp.app", "streamapp.cli"},
    "agents": {"typer", "rich", "streamapp.app", "streamapp.cli"},
}  # fmt: skip


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, and the packages they lie in."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(name.split(".")[:size]) for name in found for size in (1, 2, 3)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_inward(path: Path) -> None:
    """No file imports what its room must not know."""
    room = path.relative_to(PACKAGE).parts[0]
    assert not imports(path) & FORBIDDEN.get(room, set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_a_noun_of_at_most_300_lines(path: Path) -> None:
    """A file that outgrows 300 lines holds two nouns."""
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in {"utils", "helpers", "manager", "common", "misc"}


def test_only_settings_read_the_environment() -> None:
    """The environment is read in one place."""
    readers = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= {"settings.py"}


def test_importing_every_module_has_no_effects() -> None:
    """Nothing is printed, no file is opened for writing and no socket is made."""
    modules = [
        ".".join(("streamapp", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in FILES
        if path.name != "__main__.py"
    ]
    program = (
        "import importlib, sys\n"
        "def watch(event, arguments):\n"
        "    if event in {'socket.connect', 'socket.bind', 'subprocess.Popen'}:\n"
        "        raise RuntimeError(f'{event} {arguments}')\n"
        "sys.addaudithook(watch)\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name.removesuffix('.__init__'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
