"""monday's clock was ahead and is set back: what people edit from then on bears an earlier time than what is known."""

from __future__ import annotations

import pytest

from reconcile.change_filter import is_outdated
from tests.support.company import Company
from tests.support.pushing import TEXT, jobs, project, shows

HOUR_S = 3_600


def knows_the_future(company: Company, ahead_s: int) -> int:
    """An item that was edited, and read, while monday's clock was so far ahead; now it is right."""
    item = jobs(company)[0]
    company.sandbox.advance(ahead_s)
    company.sandbox.edit(item, {TEXT: "in the future"})
    assert company.sync().code == 0
    company.sandbox.advance(-ahead_s)
    return item


@pytest.mark.parametrize("ahead_s", [5 * 60, HOUR_S, 400 * 24 * HOUR_S])
@pytest.mark.parametrize("arguments", [(), ("--full",), ("--limit", "100")])
def test_an_edit_with_an_earlier_time_is_believed(synced: Company, ahead_s: int, arguments: tuple[str, ...]) -> None:
    item = knows_the_future(synced, ahead_s)
    synced.sandbox.edit(item, {TEXT: "now"})
    ended = synced.sync(*arguments)
    assert (ended.code, synced.project(item, "description")) == (0, "now"), ended.out
    assert not any("older state" in note for note in ended.report["notes"])
    synced.sandbox.advance(60)
    synced.sandbox.edit(item, {TEXT: "and later"})
    assert synced.sync().report["boards"]["master"]["mode"] == ("full" if "--limit" in arguments else "incremental")
    assert synced.project(item, "description") == "and later"


def test_an_item_that_was_not_edited_in_the_future_is_read_too(synced: Company) -> None:
    """The watermark is in the future as well: it would hide every change until then."""
    other = jobs(synced)[1]
    knows_the_future(synced, 30 * 24 * HOUR_S)
    synced.sandbox.edit(other, {TEXT: "now"})
    ended = synced.sync()
    assert (ended.code, synced.project(other, "description")) == (0, "now")
    assert ended.report["boards"]["master"]["mode"] == "full"
    assert synced.sync().report["boards"]["master"]["mode"] == "incremental", "the watermark was put right"


def test_once_monday_has_caught_up_a_whole_read_believes_the_board(synced: Company) -> None:
    """What is remembered is not from the future any more, but no answer is behind by hours."""
    item = knows_the_future(synced, 2 * HOUR_S)
    synced.sandbox.edit(item, {TEXT: "now"})
    synced.sandbox.advance(4 * HOUR_S)
    assert synced.sync("--full").code == 0
    assert synced.project(item, "description") == "now"


@pytest.mark.parametrize("edited", [False, True])
def test_an_edit_in_sql_reaches_an_item_of_the_future(synced: Company, edited: bool) -> None:
    item = knows_the_future(synced, 3 * HOUR_S)
    if edited:
        synced.sandbox.edit(item, {"claim_number__1": "C-1"})
    project(synced, item, description="from SQL")
    ended = synced.push()
    assert (ended.code, ended.report["items"]["update"]) == (0, 1), ended.out
    assert shows(synced, item, TEXT) == "from SQL"
    assert synced.sync().code == 0
    assert synced.project(item, "description") == "from SQL"
    assert synced.project(item, "claim_number") == ("C-1" if edited else None)


def test_a_saved_read_is_never_believed_against_what_is_known(synced: Company) -> None:
    item = jobs(synced)[0]
    synced.sandbox.advance(60)
    synced.sandbox.edit(item, {TEXT: "newer"})
    assert synced.sync().code == 0
    synced.sandbox.advance(400 * 24 * HOUR_S)
    ended = synced.sync("--use-cache")
    assert (ended.code, synced.project(item, "description")) == (0, "newer")
    assert any("older state" in note for note in ended.report["notes"])


@pytest.mark.parametrize(
    ("shown", "remembered", "monday", "old"),
    [
        (200, 200, None, False),
        (199, 200, None, True),
        (199, 200, 200, True),
        (100_000, 200_000, 200_000, True),
        (100_000, 200_000, 203_599, True),
        (100_000, 200_000, 203_600, False),
        (100_000, 200_000, 199_940, True),
        (100_000, 200_000, 199_939, False),
    ],
)
def test_what_an_old_view_is(shown: int, remembered: int, monday: int | None, old: bool) -> None:
    assert is_outdated(shown, remembered, monday) is old
