"""`python -m tests.servers LANE`: whether a lane can run here; exit 1 and the reason if not."""

import sys

from tests.servers.backend import BackendError, lane

if __name__ == "__main__":
    try:
        lane(sys.argv[1]).check()
    except BackendError as error:
        sys.exit(str(error))
