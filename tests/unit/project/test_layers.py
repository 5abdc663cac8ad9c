"""The layers: who may import whom, how files are named, and that imports have no effects."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "streamapp"
FILES = sorted(PACKAGE.rglob("*.py"))
OUTSIDE = {"faust", "mode", "aiokafka", "redis", "typer", "rich", "pydantic", "pydantic_settings"}
IMPURE = OUTSIDE | {"os", "time", "random", "logging", "asyncio", "socket", "subprocess", "secrets"}
OUTER = {f"streamapp.{name}" for name in ("agents", "audit", "app", "cli", "inspection", "worker")}
LETTERS = "streamapp.deadletters"

FORBIDDEN = {
    "core": IMPURE | OUTER
    | {"streamapp.config", "streamapp.store", "streamapp.transport", LETTERS},
    "store": {"faust", "mode", "aiokafka", "typer", "rich", "streamapp.transport", LETTERS} | OUTER,
    "transport": {"redis", "typer", "rich", "streamapp.store", LETTERS} | OUTER,
    "deadletters": {"faust", "mode", "aiokafka", "redis", "typer", "rich", "streamapp.store"}
    | OUTER,
    "inspection": {"faust", "mode", "aiokafka", "typer", "rich", "streamapp.transport"}
    | OUTER - {"streamapp.inspection"},
    "agents": {"typer", "rich"} | OUTER - {"streamapp.agents"},
    "audit": {"faust", "mode", "aiokafka", "typer", "rich", "streamapp.transport"}
    | OUTER - {"streamapp.audit", "streamapp.inspection"},
    "importing": {"faust", "mode", "redis", "typer", "rich", "streamapp.store"} | OUTER,
    "feeds": {"faust", "mode", "aiokafka", "redis", "typer", "rich", "streamapp.store",
              "streamapp.transport", "streamapp.importing", LETTERS} | OUTER,
    "worker": {"typer", "rich", "streamapp.cli"},
}  # fmt: skip

ORDER = {
    "core": ("list_kinds", "arrays", "ids", "histories", "events", "messages", "evaluation",
             "counts", "trending", "lists", "content", "shard"),
    "agents": (
        "scheduling", "polling", "delivery", "runtime", "intake", "catalogue", "user_lists",
        "histories", "norms", "trending", "shard",
    ),
    "store": ("redis", "slot", "state_layout", "values", "lists", "input_versions"),
}  # fmt: skip
"""Inside these layers a folder imports only itself and the folders before it."""


def imports(path: Path) -> set[str]:
    """Return the modules that a file imports, and the packages that hold them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {".".join(name.split(".")[:size]) for name in found for size in (1, 2, 3)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_inward(path: Path) -> None:
    """No file imports a layer that its own layer must not know."""
    layer = path.relative_to(PACKAGE).parts[0]
    assert not imports(path) & FORBIDDEN.get(layer, set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_folders_of_a_layer_follow_the_flow(path: Path) -> None:
    """A folder imports no folder that comes after it."""
    layer, *inner = path.relative_to(PACKAGE).with_suffix("").parts
    order = ORDER.get(layer, ())
    if not inner or inner[0] not in order:
        assert not inner or inner[0] == "__init__" or layer not in ORDER
        return
    later = {f"streamapp.{layer}.{name}" for name in order[order.index(inner[0]) + 1 :]}
    assert not imports(path) & later


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_name_of_a_file_says_what_is_in_it(path: Path) -> None:
    """A name such as `utils` says nothing."""
    assert path.stem not in {"utils", "helpers", "manager", "common", "misc"}


def test_a_folder_holds_about_a_dozen_files() -> None:
    """A folder that outgrows fourteen modules holds two things."""
    folders = {path.parent for path in FILES}
    assert {
        str(folder.relative_to(PACKAGE)): count
        for folder in folders
        if (count := len([path for path in folder.glob("*.py") if path.stem != "__init__"])) > 14
    } == {}


def test_only_the_loader_reads_the_environment() -> None:
    """The environment is read in one place."""
    readers = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers <= {"config/loader.py"}


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
