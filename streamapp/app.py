"""The Faust app that `faust -A streamapp.app worker` finds.

`app` is made on first access, so that the import has no effects.
"""

from typing import TYPE_CHECKING

from streamapp.config.loader import load_settings
from streamapp.worker.composition import create_app

if TYPE_CHECKING:
    from streamapp.worker.composition import WorkerApp


def __getattr__(name: str) -> "WorkerApp":
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = create_app(load_settings())
    return globals()["app"]  # type: ignore[no-any-return]
