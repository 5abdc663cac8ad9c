"""The files that are mutated."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

_CONFIG = Path(__file__).with_name("targets.toml")


@dataclass(frozen=True, slots=True)
class Group:
    """Files that share a part of the sample.

    Attributes:
        name: What people call it.
        share: Its part of the sample, between 0 and 1.
        files: Paths relative to the root, in order.
    """

    name: str
    share: float
    files: tuple[str, ...]


def groups(root: Path) -> list[Group]:
    """Return the groups with the files that exist below `root`; each file is in one group."""
    taken: set[str] = set()
    found = []
    for entry in tomllib.loads(_CONFIG.read_text())["group"]:
        paths = {path for glob in entry["files"] for path in root.glob(glob)}
        files = tuple(sorted({str(path.relative_to(root)) for path in paths} - taken))
        taken |= set(files)
        found.append(Group(entry["name"], entry["share"], files))
    return found
