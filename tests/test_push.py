"""PostgreSQL → monday.com from end to end, on real boards' behaviour and a real database."""

from __future__ import annotations

from tests.company import Company


def test_an_edit_in_sql_reaches_its_item_and_only_that(synced: Company) -> None:
    item = synced.sandbox.item_ids()[0]
    synced.sql("UPDATE projects SET description = 'New roof' WHERE monday_item_id = %s", item)
    ended = synced.push()
    assert ended.code == 0, ended.err
    assert synced.sandbox.item(item)["cells"]["text40__1"]["text"] == "New roof"
    again = synced.push()
    assert again.report["items"]["update"] == 0
    back = synced.sync()
    assert back.writes == 0
