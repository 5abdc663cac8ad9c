"""`python -m tests.servers NAME`: says whether a backend can run; else exit 1."""

import sys

from tests.servers.backend import BackendError, lane

if __name__ == "__main__":
    try:
        lane(sys.argv[1]).check()
    except BackendError as error:
        sys.exit(str(error))
