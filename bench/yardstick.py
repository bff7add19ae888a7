"""LM, "light + merge": what reading a board and landing it costs when nothing else is done.

The same documents as the sync sends, one cursor chain, 500 items a page, COPY into a temporary table on a second thread
while the next page is under way, then one INSERT … ON CONFLICT DO UPDATE where something differs, all cells as text in
one table. No identity, no state, no second table, no retry.

    python -m bench.yardstick PLAN.json     # written by bench.rig: url, dsn, and per board its documents
"""

from __future__ import annotations

import gc
import io
import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psycopg2
import requests

WIDTH = 48  # cells of the widest board, and some
# What COPY's text format escapes, done for a whole page at once: rows, fields and NULLs stand as control characters.
_ROW, _FIELD, _NULL = "\x1d", "\x1f", "\x1e"
_ESCAPES = (
    ("\0", ""),  # no PostgreSQL text can hold it
    ("\\", "\\\\"),
    ("\n", "\\n"),
    ("\r", "\\r"),
    ("\t", "\\t"),
    (_ROW, "\n"),
    (_FIELD, "\t"),
    (_NULL, "\\N"),
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_COLUMNS = ["id", "name", "state", "updated_at", *(f"c{n}" for n in range(WIDTH))]


def main(plan: dict[str, Any]) -> None:
    gc.disable()  # as the sync does
    connection = psycopg2.connect(plan["dsn"])
    cursor = connection.cursor()
    cells = ", ".join(f"{name} text" for name in _COLUMNS[1:])
    cursor.execute(f"CREATE TABLE IF NOT EXISTS light (id bigint PRIMARY KEY, {cells})")
    cursor.execute(f"CREATE TEMP TABLE incoming (id bigint, {cells}) ON COMMIT DROP")
    with requests.Session() as session, ThreadPoolExecutor(1) as writer:
        session.trust_env = False
        session.headers.update({"Content-Type": "application/json", "Authorization": "bench", **plan["headers"]})
        landing: Future[None] | None = None
        for board in plan["boards"]:
            for items in _pages(session, plan["url"], board):
                if landing is not None:
                    landing.result()
                landing = writer.submit(_land, cursor, items)
        if landing is not None:
            landing.result()
    names, theirs = ", ".join(_COLUMNS), ", ".join(f"EXCLUDED.{name}" for name in _COLUMNS)
    ours = ", ".join(f"light.{name}" for name in _COLUMNS)
    cursor.execute(
        f"INSERT INTO light SELECT * FROM incoming ON CONFLICT (id) DO UPDATE SET ({names}) = ROW({theirs})"
        f" WHERE ROW({ours}) IS DISTINCT FROM ROW({theirs})"
    )
    connection.commit()
    connection.close()


def _pages(session: requests.Session, url: str, board: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    page = _post(session, url, board["first"], board["first_variables"])["boards"][0]["items_page"]
    while True:
        yield page["items"]
        if page["cursor"] is None:
            return
        variables = {**board["next_variables"], "cursor": page["cursor"]}
        page = _post(session, url, board["next"], variables)["next_items_page"]


def _post(session: requests.Session, url: str, document: str, variables: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps({"query": document, "variables": variables})
    with session.post(url, data=body, stream=True) as response:
        content = response.raw.read(decode_content=True)
    try:
        answer = msgspec.json.decode(content)
    except msgspec.DecodeError:
        answer = msgspec.json.decode(_SURROGATE.sub(b"?", content))  # half a pair, which no strict parser takes
    data: dict[str, Any] = answer["data"]
    return data


def _land(cursor: Any, items: list[dict[str, Any]]) -> None:
    text = _ROW.join(_FIELD.join(_row(item)) for item in items)
    for raw, escaped in _ESCAPES:
        text = text.replace(raw, escaped)
    cursor.copy_expert("COPY incoming FROM STDIN", io.StringIO(text))


def _row(item: dict[str, Any]) -> list[str]:
    cells = [_text(cell) for cell in item["column_values"]]
    return [item["id"], item["name"], item["state"], item["updated_at"], *cells, *([_NULL] * (WIDTH - len(cells)))]


def _text(cell: dict[str, Any]) -> str:
    """The first field behind the id, whatever it is; NULL for an empty cell."""
    _id, *rest = cell.values()
    if not rest or rest[0] is None or rest[0] == []:
        return _NULL
    return rest[0] if isinstance(rest[0], str) else json.dumps(rest[0])


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
