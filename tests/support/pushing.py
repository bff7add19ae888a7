"""What a person edits in SQL, and what a push has sent, shown and set aside."""

from __future__ import annotations

import json
from typing import Any

from sandbox import MASTER_BOARD_ID
from tests.support.company import Company

CLAIM = "claim_number__1"
EMAIL = "email57__1"
TEXT = "text40__1"


def jobs(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(MASTER_BOARD_ID))


def project(company: Company, item_id: int, **values: Any) -> None:
    """A person edits a project in SQL."""
    _edit(company, "projects", item_id, values)


def person(company: Company, item_id: int, **values: Any) -> None:
    _edit(company, "users", item_id, values)


def _edit(company: Company, table: str, item_id: int, values: dict[str, Any]) -> None:
    columns = ", ".join(f"{name} = %s" for name in values)
    company.sql(f"UPDATE {table} SET {columns} WHERE monday_item_id = %s", *values.values(), item_id)


def shows(company: Company, item_id: int, column_id: str) -> Any:
    """The text of a cell, or the item's name."""
    item = company.sandbox.item(item_id)
    text = item["name"] if column_id == "name" else item["cells"].get(column_id, {}).get("text")
    return text.removeprefix(" - ") if text else text  # a link without a text of its own


def sent(company: Company) -> list[tuple[str, dict[str, Any]]]:
    """(item id or name of a new one, cells) of every write since the counters were reset, refused or not."""
    found = []
    for request in company.sandbox.requests():
        asked = request["variables"]
        number = 0
        while f"values{number}" in asked:
            item = asked.get(f"item{number}") or asked[f"name{number}"]
            found.append((item, json.loads(asked[f"values{number}"])))
            number += 1
    return found


def letters(company: Company) -> list[tuple[int, str]]:
    """(item, column) of everything that a person was told of."""
    return company.sql("SELECT item_id, place FROM monday_sync.sync_dead WHERE kind = 'op' ORDER BY 1, 2")


def in_step(company: Company) -> None:
    """Both directions find nothing to write, and nothing is left open."""
    for ended in (company.push(), company.sync("--full")):
        assert ended.code == 0, ended.err
    company.sandbox.reset_counters()
    pushed = company.push()
    assert (pushed.code, pushed.report["plan"], company.sandbox.counters()["requests"]) == (0, "", 0)
    assert company.sync("--full").writes == 0
    assert company.value("SELECT count(*) FROM monday_sync.sync_batch") == 0
    assert letters(company) == []


ODD_EMAIL = "ann@mail..example"


def new_project(company: Company, name: str, **values: Any) -> str:
    columns = ["item_name", *values]
    company.sql(
        f"INSERT INTO projects ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
        name, *values.values(),
    )  # fmt: skip
    return str(company.value("SELECT id::text FROM projects WHERE item_name = %s", name))
