"""The sync's own reader with no work behind it: how long fetching alone takes.

python -m bench.fetch URL MASTER_BOARD_ID STAFF_BOARD_ID
"""

from __future__ import annotations

import sys

from monday_api import MondayClient


def main(url: str, master: int, staff: int) -> None:
    with MondayClient("bench", {"master": master, "staff": staff}, url=url) as client:
        for _page in client.full(client.preflight(), {}).pages():
            pass


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
