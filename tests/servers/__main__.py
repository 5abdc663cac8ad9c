"""`python -m tests.servers LANE`: whether a lane can run here; exit 1 and the reason if not."""

import sys

from tests.servers.lane import LaneError, lane

if __name__ == "__main__":
    try:
        lane(sys.argv[1]).check()
    except LaneError as error:
        sys.exit(str(error))
