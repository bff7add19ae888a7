"""All rows of the nine tables are deleted, and what is remembered of the items is still there."""

from __future__ import annotations

import pytest

from tests.support.company import Company
from tests.support.pushing import CLAIM, jobs, shows

EMPTY = "TRUNCATE projects, policies, properties, customers, users, pa_law, storms, sales_teams, insurances CASCADE"
MAIL = "email4__1"


@pytest.mark.parametrize("mode", [(), ("--full",), ("--resync",)], ids=["changes", "full", "resync"])
@pytest.mark.parametrize("what", ["nothing", "edit", "new", "delete", "archive"])
def test_what_was_deleted_stays_deleted_until_an_item_says_something_new(
    synced: Company, what: str, mode: tuple[str, ...]
) -> None:
    items = jobs(synced)
    synced.sql(EMPTY)
    if what == "edit":
        synced.sandbox.edit(items[0], {CLAIM: "C-1"})
    elif what == "new":
        known = shows(synced, items[0], MAIL)
        synced.sandbox.create(synced.sandbox.master_board_id, "New roof", {MAIL: {"email": known, "text": known}})
    elif what != "nothing":
        getattr(synced.sandbox, what)(items[0])
    synced.sandbox.advance(60)
    ended = synced.sync(*mode)
    assert ended.code == 0, ended.err
    left = len(items) + (what == "new") - (what in ("delete", "archive"))
    assert synced.counts()["projects"] == (left if mode == ("--resync",) else what in ("edit", "new"))
    assert synced.sync().writes == 0
    assert synced.push().code == 0
    assert synced.sync("--full").writes == 0
