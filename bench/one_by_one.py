"""The push's yardstick, one mutation a request: what every script does, and the least that it can cost.

All changed cells of an item in one `change_multiple_column_values`, one item after the other over one kept connection.
No look before, no state, no journal, no retry: a refused item ends it.

    python -m bench.one_by_one PLAN.json     # written by bench.rig: url, headers, board, and [item id, cells] each
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import requests

CHANGE = (
    "mutation Change($board: ID!, $item: ID!, $values: JSON!) "
    "{ change_multiple_column_values(board_id: $board, item_id: $item, column_values: $values) { id } }"
)


def main(plan: dict[str, Any]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update({"Content-Type": "application/json", "Authorization": "bench", **plan["headers"]})
        for item_id, cells in plan["changes"]:
            variables = {"board": str(plan["board"]), "item": str(item_id), "values": json.dumps(cells)}
            with session.post(plan["url"], data=json.dumps({"query": CHANGE, "variables": variables})) as response:
                answer = response.json()
            if answer.get("errors"):
                raise SystemExit(f"item {item_id}: {answer['errors']}")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
