"""What one run did, or would do, as text for a person and as one JSON object for a program."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cli.signs import one_line
from models import TABLES
from reconcile.errors import Exit

DETAILS = 100
"""Entries of a list in the JSON report; the counts are always whole."""
SHOWN = 5
"""Entries of a list on a terminal."""
WIDTH = 100
"""Columns of a terminal, at most."""

MONDAY = ("requests", "mutations", "complexity", "retries", "waited_s", "daily_calls")
"""What was asked of monday.com; a run that never asked has zeros."""

ReadMode = Literal["full", "incremental", "cache"]


@dataclass(slots=True)
class BoardReport:
    """One board: how it was read and how many of its items were new or changed."""

    board_id: int
    title: str
    fetched: int = 0
    complete: bool = False
    mode: ReadMode = "full"
    items_count: int = 0
    changed: int = 0
    unchanged: int = 0
    note: str = ""


@dataclass(slots=True)
class TableReport:
    insert: int = 0
    update: int = 0
    delete: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class ItemsReport:
    """What a push did to the items of both boards."""

    update: int = 0
    create: int = 0
    archive: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """One kind of thing that a person should look at: how many, how many of them new, and the first of them."""

    count: int = 0
    new: int = 0
    details: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True)
class Report:
    """The whole of one run. `notes` are sentences for a person that are no reason to stop."""

    run_id: str
    direction: str
    dry_run: bool
    boards: dict[str, BoardReport] = field(default_factory=dict)
    tables: dict[str, TableReport] = field(default_factory=lambda: {table: TableReport() for table in TABLES})
    conflicts: Open = field(default_factory=Open)
    settled: Open = field(default_factory=Open)
    quarantined: Open = field(default_factory=Open)
    would_merge: Open = field(default_factory=Open)
    fanned: Open = field(default_factory=Open)
    items: ItemsReport | None = None
    forecast: str = ""
    tolerated: int = 0
    waiting: int = 0
    digest: str = ""
    notes: list[str] = field(default_factory=list)
    monday: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MONDAY, 0))
    stages: dict[str, float] = field(default_factory=dict)
    duration_s: float = 0.0
    exit_code: Exit = Exit.DONE
    samples: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    second_rows: list[str] = field(default_factory=list)

    @property
    def written(self) -> int:
        """Rows that were written, or items in a push."""
        if self.items is not None:
            return self.items.update + self.items.create + self.items.archive
        return sum(table.insert + table.update + table.delete for table in self.tables.values())

    def as_json(self) -> dict[str, Any]:
        """The object of `--json`; its keys are a contract."""
        lists = {
            "conflicts": self.conflicts,
            "settled": self.settled,
            "quarantined": self.quarantined,
            "would_merge": self.would_merge,
        }
        if self.items is not None:
            lists["fanned_out"] = self.fanned
        return {
            "version": 1,
            "run_id": self.run_id,
            "direction": self.direction,
            "dry_run": self.dry_run,
            "exit_code": int(self.exit_code),
            "duration_s": round(self.duration_s, 3),
            "boards": {
                name: {
                    "board_id": board.board_id,
                    "fetched": board.fetched,
                    "complete": board.complete,
                    "mode": board.mode,
                    "items_count": board.items_count,
                    "changed": board.changed,
                }
                for name, board in self.boards.items()
            },
            "tables": {
                name: {
                    "insert": table.insert,
                    "update": table.update,
                    "delete": table.delete,
                    "unchanged": table.unchanged,
                }
                for name, table in self.tables.items()
            },
            **({} if self.items is None else {"items": self._items(self.items)}),
            "conflicts": self.conflicts.count,
            "quarantined": self.quarantined.count,
            "would_merge": self.would_merge.count,
            "waiting": self.waiting,
            "tolerated": self.tolerated,
            "details": {name: list(entry.details[:DETAILS]) for name, entry in lists.items()},
            "notes": self.notes,
            "plan": self.digest,
            "monday": self.monday,
            "stages": self.stages,
        }

    @staticmethod
    def _items(items: ItemsReport) -> dict[str, int]:
        return {
            "create": items.create,
            "update": items.update,
            "archive": items.archive,
            "unchanged": items.unchanged,
        }


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "cell"), counted(2500, "cell"), counted(2, "property", "properties")
    ('1 cell', '2,500 cells', '2 properties')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def as_text(report: Report, verbosity: int = 0) -> str:
    """The summary of a run for a terminal, a log or a mail: plain text, no colour, prose of at most 100 columns."""
    shown = (_boards(report), _tables(report)) if report.items is None else (_looked(report), _items(report))
    blocks: list[Iterable[str]] = [_head(report), *shown, _changes(report)]
    blocks += [
        _differences(report),
        _second_rows(report, verbosity),
        _notes(report),
        _needs_a_person(report, verbosity),
        _foot(report),
    ]
    return "\n\n".join("\n".join(map(one_line, lines)) for block in blocks if (lines := list(block)))


def _head(report: Report) -> Iterator[str]:
    parts = ["monday.com → PostgreSQL" if report.direction == "monday_to_pg" else "PostgreSQL → monday.com"]
    if report.dry_run:
        parts.append("DRY RUN, nothing was written")
    yield " · ".join([*parts, f"run {report.run_id}"])


def _boards(report: Report) -> Iterator[str]:
    yield f"  {'board':<28} {'read':<13}{'items read':>12}{'on the board':>14}{'new or changed':>16}"
    for board in report.boards.values():
        counts = f"{board.fetched:>12,}{board.items_count:>14,}{board.changed:>16,}"
        yield f"  {board.title[:28]:<28} {_mode(board):<13}{counts}"
    for board in report.boards.values():
        if board.note:
            yield from _wrapped(f"{board.title}: {board.note}.")
    if any(not board.complete for board in report.boards.values()):
        yield "  Only a part was read, or a saved read: no row is marked as archived because of it."


def _looked(report: Report) -> Iterator[str]:
    if report.boards:
        yield f"  {'board':<28} {'items looked at':>16}{'on the board':>14}{'to change':>12}"
    for board in report.boards.values():
        yield f"  {board.title[:28]:<28} {board.fetched:>16,}{board.items_count:>14,}{board.changed:>12,}"


def _items(report: Report) -> Iterator[str]:
    items = report.items
    if items is None or not _ended_well(report):
        return
    may = "would " if report.dry_run else ""
    yield f"  {'items':<14}{may + 'update':>14}{may + 'create':>14}{may + 'archive':>15}{'unchanged':>12}"
    yield f"  {'':<14}{items.update:>14,}{items.create:>14,}{items.archive:>15,}{items.unchanged:>12,}"
    completed = sum(table.update for table in report.tables.values())
    if completed:
        verb = "would be" if report.dry_run else "was" if completed == 1 else "were"
        yield f"  {counted(completed, 'row')} {verb} made whole in PostgreSQL, of which only a part was edited."


def _mode(board: BoardReport) -> str:
    if board.mode == "full":
        return "whole" if board.complete else "a part"
    return "changes only" if board.mode == "incremental" else "from a cache"


def _tables(report: Report) -> Iterator[str]:
    if not _ended_well(report):
        return
    may = "would " if report.dry_run else ""
    yield f"  {'table':<14}{may + 'insert':>14}{may + 'update':>14}{'unchanged':>12}"
    for name, table in sorted(report.tables.items(), key=lambda entry: _TABLE_ORDER.index(entry[0])):
        yield f"  {name:<14}{table.insert:>14,}{table.update:>14,}{table.unchanged:>12,}"


_TABLE_ORDER = (
    "projects",
    "customers",
    "properties",
    "users",
    "sales_teams",
    "pa_law",
    "policies",
    "insurances",
    "storms",
)


def _ended_well(report: Report) -> bool:
    """Whether the plan was made and passed: only then do the counts of the tables mean anything."""
    return report.exit_code in (Exit.DONE, Exit.PERSON_NEEDED)


def _changes(report: Report) -> Iterator[str]:
    if not _ended_well(report):
        kept = "no row was written" if report.items is None else "what was sent before is kept"
        yield f"  The run stopped, {kept}; the reason stands at the end."
        if report.samples:
            yield "  What it would have changed (before → after):"
            yield from (f"    {line}" for line in report.samples)
    elif not report.written:
        what = "no row " if report.items is None else "no item "
        yield f"  Nothing differs: {what}" + ("would be written." if report.dry_run else "was written.")
    elif report.samples:
        yield "  What would change (before → after):" if report.dry_run else "  What changed (before → after):"
        yield from (f"    {line}" for line in report.samples)


def _differences(report: Report) -> Iterator[str]:
    if report.differences:
        yield "  Left as they are (monday.com | PostgreSQL):"
        yield from (f"    {line}" for line in report.differences)


def _second_rows(report: Report, verbosity: int) -> Iterator[str]:
    """Statements that link rows to items, of use as long as the items have no rows of their own."""
    if not report.second_rows or (_ended_well(report) and not report.dry_run):
        return
    shown = report.second_rows if verbosity > 0 else report.second_rows[:SHOWN]
    yield from _wrapped("Rows without an item id, each with the item that looks like it. Where it is the same job:")
    yield "    ALTER TABLE projects ADD COLUMN IF NOT EXISTS monday_item_id bigint;"
    yield from (f"    {line}" for line in shown)
    if len(report.second_rows) > len(shown):
        yield f"    … and {len(report.second_rows) - len(shown):,} more: -v lists them all"


def _notes(report: Report) -> Iterator[str]:
    if report.notes:
        yield "  Good to know:"
    for note in report.notes:
        yield from _wrapped(note, first="    - ", rest="      ")


def _needs_a_person(report: Report, verbosity: int) -> Iterator[str]:
    kinds = (
        _quarantined(report.quarantined),
        _conflicts(report.conflicts),
        _alike(report.would_merge),
        _fanned(report.fanned),
    )
    if any(entry.count for entry, _text, _table in kinds):
        yield "  Needs a person:"
    for entry, text, table in kinds:
        if not entry.count:
            continue
        yield from _wrapped(f"{text}.", first="    ", rest="      ")
        shown = entry.details if verbosity > 0 else entry.details[:SHOWN]
        yield from _listed(shown)
        if len(entry.details) > len(shown):
            yield f"      … and {len(entry.details) - len(shown):,} more: -v lists them all"
        if entry.count > len(entry.details):
            yield f"      {'The others' if shown else 'All of them'} are in the table monday_sync.{table}."


def _quarantined(entry: Open) -> tuple[Open, str, str]:
    text = (
        f"{counted(entry.count, 'value')} cannot be taken over{_new(entry)}: the other side keeps its last good value "
        "until it is corrected where it stands"
    )
    return entry, text, "sync_dead"


def _conflicts(entry: Open) -> tuple[Open, str, str]:
    text = (
        f"{counted(entry.count, 'field was', 'fields were')} edited on both sides{_new(entry)} and left as is: decide "
        "with --on-conflict monday or --on-conflict pg"
    )
    return entry, text, "sync_conflict"


def _alike(entry: Open) -> tuple[Open, str, str]:
    text = (
        f"{counted(entry.count, 'pair')} of rows may be the same person, firm or job{_new(entry)}: rows are never "
        "merged by themselves, that is yours to decide"
    )
    return entry, text, "sync_dead"


def _fanned(entry: Open) -> tuple[Open, str, str]:
    waits = "waits" if entry.count == 1 else "wait"
    text = (
        f"{counted(entry.count, 'changed row')} would rewrite more than 25 items each, and {waits}: if that is meant, "
        "run with --allow-fanout"
    )
    return entry, text, "sync_row"


def _new(entry: Open) -> str:
    if entry.new == entry.count:
        return ""
    return f" ({entry.new:,} of them new)" if entry.new else " (none of them new)"


def _listed(details: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What has the same reason stands together under it."""
    by_reason: dict[str, list[str]] = {}
    for detail in details:
        place = "  ".join(str(value) for name, value in detail.items() if name != "reason")
        by_reason.setdefault(str(detail.get("reason", "")), []).append(place)
    for reason, places in by_reason.items():
        if reason:
            yield from _wrapped(reason, first="      ", rest="      ")
        yield from (f"        {place}" if reason else f"      {place}" for place in places)


def _foot(report: Report) -> list[str]:
    monday = report.monday
    requests, points = int(monday.get("requests", 0)), int(monday.get("complexity", 0))
    again = " (the real run costs as much again)" if report.dry_run and requests and report.items is None else ""
    parts = [f"{report.duration_s:.1f} s", counted(requests, "request") + again]
    items = sum(board.fetched for board in report.boards.values())
    if points:
        parts.append(counted(points, "complexity point") + (f", {points // items:,} an item" if items else ""))
    if report.items is not None and monday.get("mutations"):
        parts.append(f"{int(monday['mutations']):,} of them writing")
    if report.forecast:
        parts.append(report.forecast)
    if monday.get("retries"):
        retries = counted(int(monday["retries"]), "retry", "retries")
        parts.append(f"{retries}, {monday.get('waited_s', 0):.0f} s waited")
    if report.digest:
        parts.append(f"plan {report.digest}")
    parts.append(f"exit {int(report.exit_code)} ({_EXITS[report.exit_code]})")
    return _wrapped(" · ".join(parts), rest="  ")


def _wrapped(text: str, first: str = "  ", rest: str = "    ") -> list[str]:
    """Lines of at most WIDTH columns; a word that is longer stays whole."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


_EXITS = {
    Exit.DONE: "done",
    Exit.BUG: "a bug",
    Exit.USAGE: "usage or settings",
    Exit.DRIFT: "a board or table is not what the mapping says",
    Exit.REFUSED: "a guard refused",
    Exit.PERSON_NEEDED: "done, a person is needed",
    Exit.LEASE_HELD: "another run is at work",
    Exit.UNAVAILABLE: "temporary trouble: run it again",
    Exit.INTERRUPTED: "interrupted",
}
