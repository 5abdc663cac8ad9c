"""`python -m tests.servers NAME`: says whether a backend can run; else exit 1."""

import sys

from tests.servers.backend import BackendError, backend_named

if __name__ == "__main__":
    try:
        backend_named(sys.argv[1]).check()
    except BackendError as error:
        sys.exit(str(error))
