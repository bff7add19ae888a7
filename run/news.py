"""What a run has to say that no earlier run has said, and the statements by which it has said it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from postgres.by_hand import LIST_UNSEEN
from postgres.records import Present
from postgres.state import OpenIssues, unsent_rows
from postgres.told import (
    UNSEEN,
    UNSENT,
    VALUE,
    Judged,
    Notice,
    Unseen,
    lists_told,
    now_told,
    now_told_by_query,
    unseen_rows,
)
from postgres.transaction import Params, Transaction
from run.context import Run
from run.record import killed_runs
from run.report import IssueList, counted

PUSHED_LATELY_H = 48
"""Rows that wait for a push are no news as long as one ended well in these hours: it sends them, or says why not."""
Entry = Mapping[str, Any]
_NAMED = 3


def opened(count: int, listed: Iterable[Entry], new: Iterable[Entry], untold: int) -> IssueList:
    """One kind of thing that waits for a person: all that is listed and what is new, each once, and how many there are
    beyond the lists."""
    every, untold_ones = (
        list({tuple(entry.items()): entry for entry in entries}.values()) for entries in (listed, new)
    )
    return IssueList(max(count, len(every)), max(untold, len(untold_ones)), tuple(every), tuple(untold_ones))


def fill_news(run: Run, standing: OpenIssues, judged: Sequence[Judged]) -> None:
    """Put into the report what is new beside its lists; rows that no project shows are a note too, once."""
    report = run.report
    report.unseen = {found.table: found.count for found in standing.unseen}
    unseen = list(unseen_sentences(standing.unseen))
    report.notes += [sentence for sentence in unseen if sentence not in report.notes]
    told = standing.told
    fresh = {notice: None for each in judged for notice in each.notices if (notice.topic, notice.place) not in told}
    report.news = [notice.text for notice in fresh if notice.text] + unseen
    if standing.unsent_new and is_unsent(standing):
        report.news.append(_unsent_sentence(standing))


def is_unsent(standing: OpenIssues) -> bool:
    """Whether nothing sends what waits for a push."""
    return standing.pushed_h is None or standing.pushed_h > PUSHED_LATELY_H


def unseen_sentences(found: Iterable[Unseen]) -> Iterator[str]:
    """A sentence about each table that has rows of which nobody was told that no project shows them."""
    for entry in found:
        if not entry.new:
            continue
        named = ", ".join(f"{entry.table}.{row}" for row in entry.rows[:_NAMED])
        more = ", …" if entry.new > _NAMED else ""
        one = entry.new == 1
        yield (
            f"{counted(entry.new, 'new row')} of {entry.table} {'is' if one else 'are'} shown by no project "
            f"({named}{more}): nothing of {'it' if one else 'them'} travels to monday.com until a project points at "
            f"{'it' if one else 'them'}. This is said once; all such rows: {LIST_UNSEEN}"
        )


def _unsent_sentence(standing: OpenIssues) -> str:
    rows = counted(standing.awaiting_push, "row holds", "rows hold")
    new = "" if standing.unsent_new == standing.awaiting_push else f" ({standing.unsent_new:,} of them new)"
    days = standing.pushed_h
    since = "has ended well yet" if days is None else f"has ended well for {days / 24:.0f} days"
    return (
        f"{rows} something that monday.com does not show yet{new}, and no sync_pg_to_monday.py {since}: run it, or "
        "have cron run it."
    )


def values_judged(standing: OpenIssues) -> Judged:
    """Values that no run can read: the list of what is set aside says them, this remembers that it did."""
    return Judged([Notice(VALUE, letter.place, "") for letter in standing.dead if letter.kind == "value"], (VALUE,))


def closing(
    run: Run, tx: Transaction, present: Present, standing: OpenIssues, judged: Sequence[Judged]
) -> list[tuple[str, Params]]:
    """The statements of a run's last transaction by which all of that is told; next to none where nothing is new."""
    kinds = ("cell", "row", "op", "would-merge")
    statements = lists_told(
        run.run_id,
        dead=any(map(standing.new_of, kinds)),
        opened=bool(standing.new_of("conflicts")),
        lost=bool(standing.lost_count),
    )
    for each in judged:
        statements += now_told(tx, run.run_id, each, standing.told)
    new = any(found.new for found in standing.unseen)
    if (new or standing.unseen_over) and (rows := unseen_rows(tx, present)) is not None:
        statements += now_told_by_query(tx, run.run_id, UNSEEN, rows, new=new, over=standing.unseen_over)
    new = bool(standing.unsent_new) and is_unsent(standing)
    if new or standing.unsent_over:
        rows = unsent_rows(tx, present)
        statements += now_told_by_query(tx, run.run_id, UNSENT, rows, new=new, over=standing.unsent_over)
    return [*statements, killed_runs(run)]
