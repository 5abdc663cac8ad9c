"""The backend `embedded`: the servers of the extra, which a fresh checkout has."""

from streamapp.embedded import Tansu, Valkey
from tests.servers.backend import Backend


def _check() -> None:
    """It runs wherever the project is set up; if it does not, that is a failure."""


BACKEND = Backend(Tansu, lambda keeps_data: Valkey(keeps_data=keeps_data), _check)
