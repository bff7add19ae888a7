"""What one run did, or would do, as text for a person and as one JSON object for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from monday_api import BOARDS
from postgres.by_hand import ADD_ITEM_ID
from reconcile.errors import Exit
from reconcile.tables import TABLES
from run.edited import lost_text, place_text, waiting_text
from terminal.page import WIDEST, shortened, table, wrapped
from terminal.signs import one_line

DETAILS = 100
"""Entries of a list in the JSON report; the counts are always whole."""
SHOWN = 5
"""Entries of a list on a terminal."""
CHANGES = 1_000
"""Changes that the JSON report lists; their count is always whole."""
PROGRAMS = {"monday_to_pg": "sync_monday_to_pg.py", "pg_to_monday": "sync_pg_to_monday.py"}
"""The command of each direction."""

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
class IssueList:
    """One kind of thing that a person should look at: how many, the first of them, and how many of them nobody was told
    of yet: `news` are the first of these."""

    count: int = 0
    new: int = 0
    details: tuple[Mapping[str, Any], ...] = ()
    news: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True)
class Report:
    """The whole of one run. `notes` are sentences for a person that are no reason to stop, `reason` is why it failed;
    `settled` are edits that lost, `unseen` counts rows by table that no project shows, `news` are sentences about what
    is new beside the lists, `planned` says that the tables, items and changes are those of a plan. Once it is
    `recorded` in the database, its numbers stand still."""

    run_id: str
    direction: str
    dry_run: bool
    boards: dict[str, BoardReport] = field(default_factory=dict)
    tables: dict[str, TableReport] = field(default_factory=lambda: {table: TableReport() for table in TABLES})
    conflicts: IssueList = field(default_factory=IssueList)
    settled: IssueList = field(default_factory=IssueList)
    quarantined: IssueList = field(default_factory=IssueList)
    would_merge: IssueList = field(default_factory=IssueList)
    fanned: IssueList = field(default_factory=IssueList)
    items: ItemsReport | None = None
    forecast: str = ""
    tolerated: int = 0
    waiting: int = 0
    unseen: dict[str, int] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    unfinished: str = ""
    digest: str = ""
    notes: list[str] = field(default_factory=list)
    monday: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MONDAY, 0))
    calls: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    duration_s: float = 0.0
    exit_code: Exit = Exit.DONE
    reason: str = ""
    planned: bool = False
    recorded: bool = False
    changes: list[dict[str, Any]] = field(default_factory=list)
    changes_count: int = 0
    samples: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    second_rows: list[str] = field(default_factory=list)

    def fail(self, code: Exit, reason: str) -> None:
        self.exit_code, self.reason, self.recorded = code, reason, False

    def attention(self, *, new: bool = False) -> int:
        """How many things need a person: all that are open or, with `new`, those of which no earlier run has told. An
        edit that lost is new by its nature."""
        lists = (self.conflicts, self.quarantined, self.would_merge, self.fanned)
        return self.settled.count + sum(entry.new if new else entry.count for entry in lists)

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
            "reason": self.reason or None,
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
            "settled": self.settled.count,
            "quarantined": self.quarantined.count,
            "would_merge": self.would_merge.count,
            "waiting": self.waiting,
            "tolerated": self.tolerated,
            "unseen": self.unseen,
            "new": {name: entry.new for name, entry in lists.items()},
            "details": {name: list(entry.details[:DETAILS]) for name, entry in lists.items()},
            "changes": self.changes[:CHANGES],
            "changes_count": self.changes_count,
            "notes": self.notes,
            **({"moved": self.moved} if self.moved else {}),
            "plan": self.digest,
            "monday": self.monday,
            "calls": self.calls,
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


def as_text(report: Report, verbosity: int = 0, width: int = WIDEST) -> str:
    """The summary of a run for a terminal, a log or a mail: plain text, no colour, prose of at most `width` columns."""
    if report.items is None:
        shown = (_boards(report, width), _tables(report, width))
    else:
        shown = (_looked(report, width), _items(report, width))
    blocks: list[Iterable[str]] = [_head(report, width), *shown, _changes(report, width)]
    blocks += [
        _differences(report, width),
        _second_rows(report, verbosity, width),
        _lost(report, verbosity, width),
        _notes(report, width),
        _needs_a_person(report, verbosity, width),
        _reason(report, width),
        _foot(report, width),
    ]
    return "\n\n".join("\n".join(map(one_line, lines)) for block in blocks if (lines := list(block)))


def as_quiet_lines(report: Report) -> Iterator[str]:
    """What a run says that was told to be quiet: what is new and nothing that an earlier run has said; and a plan that
    was refused. What failed is said by its error."""
    if report.exit_code is Exit.REFUSED and report.planned:
        yield from (line for line in as_text(report).splitlines() if line)
        return
    if not report.planned:
        return
    would = "would lose" if _may(report) else "lost"
    place = "monday_sync.sync_dead"
    yield from _new_ones(
        report.settled,
        lambda new: f"an edit {would}: {place_text(new)}: {lost_text(new)}",
        "edits that lost",
        "monday_sync.sync_conflict",
    )
    yield from _new_ones(
        report.conflicts,
        lambda new: f"edited on both sides, and open: {place_text(new)}: {waiting_text(new)}",
        "open conflicts",
        "monday_sync.sync_conflict",
    )
    yield from _new_ones(report.quarantined, lambda new: f"set aside: {_in_words(new)}", "values set aside", place)
    yield from _new_ones(
        report.would_merge, lambda new: f"may be the same: {_in_words(new)}", "pairs that may be the same", place
    )
    yield from report.news
    if report.unfinished:
        yield f"not finished: {report.unfinished}"


def _new_ones(entry: IssueList, text: Callable[[Mapping[str, Any]], str], what: str, where: str) -> Iterator[str]:
    yield from map(text, entry.news)
    if (more := entry.new - len(entry.news)) > 0:
        yield f"{more:,} more {what}: they are in {where}"


def _in_words(detail: Mapping[str, Any]) -> str:
    """A value that is set aside, or a pair that may be one, in one line.

    >>> _in_words({"board": "master", "item": 67, "column": "numbers0", "reason": "no amount"})
    'master item 67, numbers0: no amount'
    """
    item = f" item {detail['item']}" if detail["item"] else ""
    return f"{detail['board']}{item}, {detail.get('column', detail.get('role'))}: {detail['reason']}"


def _head(report: Report, width: int) -> Iterator[str]:
    parts = ["monday.com → PostgreSQL" if report.direction == "monday_to_pg" else "PostgreSQL → monday.com"]
    nothing = "nothing was written" if report.items is None or report.dry_run else "nothing was sent"
    if report.dry_run:
        parts.append(f"DRY RUN, {nothing}")
    elif report.exit_code is Exit.REFUSED:
        parts.append(f"REFUSED, {nothing}")
    yield from wrapped(" · ".join([*parts, f"run {report.run_id}"]), width, first="")


def _may(report: Report) -> str:
    return "would " if report.dry_run or report.exit_code is Exit.REFUSED else ""


def _boards(report: Report, width: int) -> Iterator[str]:
    rows = [
        (_title(board), _mode(board), f"{board.fetched:,}", f"{board.items_count:,}", f"{board.changed:,}")
        for board in report.boards.values()
    ]
    if rows:
        yield from table(("board", "read", "items read", "on the board", "new or changed"), rows, width, left=2)
    for board in report.boards.values():
        if board.note:
            yield from wrapped(f"{board.title}: {board.note}.", width)
    if any(not board.complete for board in report.boards.values()):
        text = "Only a part was read, or a saved read: no row is marked as archived because of it."
        yield from wrapped(text, width)


def _looked(report: Report, width: int) -> Iterator[str]:
    rows = [
        (_title(board), f"{board.fetched:,}", f"{board.items_count:,}", f"{board.changed:,}")
        for board in report.boards.values()
    ]
    if rows:
        yield from table(("board", "items looked at", "on the board", "to change"), rows, width)


def _title(board: BoardReport) -> str:
    return board.title if len(board.title) <= _TITLE else shortened(board.title, _TITLE)


_TITLE = 28
"""Signs of a board's title that a table shows at most."""


def _items(report: Report, width: int) -> Iterator[str]:
    items = report.items
    if items is None or not _has_counts(report):
        return
    may = _may(report)
    counts = (items.update, items.create, items.archive, items.unchanged)
    headers = ("items", f"{may}update", f"{may}create", f"{may}archive", "unchanged")
    yield from table(headers, [("", *(f"{count:,}" for count in counts))], width)
    completed = sum(entry.update for entry in report.tables.values())
    if completed:
        verb = "would be" if may else "was" if completed == 1 else "were"
        yield from wrapped(
            f"{counted(completed, 'row')} {verb} completed in PostgreSQL with what follows from an edit there: the "
            "other parts of a name or an address, or the status of a stage.",
            width,
        )


def _mode(board: BoardReport) -> str:
    if board.mode == "full":
        return "whole" if board.complete else "a part"
    return "changes only" if board.mode == "incremental" else "from a cache"


def _tables(report: Report, width: int) -> Iterator[str]:
    if not _has_counts(report):
        return
    may = _may(report)
    rows = [
        (name, f"{entry.insert:,}", f"{entry.update:,}", f"{entry.unchanged:,}")
        for name, entry in ((name, report.tables[name]) for name in _order())
    ]
    yield from table(("table", f"{may}insert", f"{may}update", "unchanged"), rows, width)


def _order() -> list[str]:
    """The tables as the boards speak of them, the first one's records first."""
    told = (column.table for columns in BOARDS.values() for column in columns.values() if column.table)
    return [*dict.fromkeys([*told, *TABLES])]


def _ended_well(report: Report) -> bool:
    """Whether the plan was made and passed: only then do the counts of the tables mean anything."""
    return report.exit_code in (Exit.DONE, Exit.PERSON_NEEDED, Exit.WOULD_WRITE)


def _has_counts(report: Report) -> bool:
    """The same, and of a plan that a guard refused, where they are what it would have done."""
    return _ended_well(report) or (report.exit_code is Exit.REFUSED and report.planned)


def _changes(report: Report, width: int) -> Iterator[str]:
    refused = report.exit_code is Exit.REFUSED and report.planned
    if not _ended_well(report):
        if not refused:
            kept = "no row was written" if report.items is None else _sent(report.items)
            yield from wrapped(f"The run stopped, {kept}; the reason stands at the end.", width)
        if report.samples:
            yield "  What it would have changed (before → after):"
            yield from _lines(report.samples, width)
    elif not report.written:
        what = "no row " if report.items is None else "no item "
        yield f"  Nothing differs: {what}" + ("would be written." if report.dry_run else "was written.")
    elif report.samples:
        yield "  What would change (before → after):" if report.dry_run else "  What changed (before → after):"
        yield from _lines(report.samples, width)


def _sent(items: ItemsReport) -> str:
    """What a push that stopped had done by then."""
    done = items.update + items.create + items.archive
    return f"after {counted(done, 'item')} had been written" if done else "and nothing more is sent"


def _lines(lines: Iterable[str], width: int) -> Iterator[str]:
    for line in lines:
        yield from wrapped(line, width, first="    ", rest="        ")


def _differences(report: Report, width: int) -> Iterator[str]:
    if report.differences:
        yield "  Left as they are (monday.com | PostgreSQL):"
        yield from _lines(report.differences, width)


def _second_rows(report: Report, verbosity: int, width: int) -> Iterator[str]:
    """Statements that link rows to items, of use as long as the items have no rows of their own."""
    if not report.second_rows or (_ended_well(report) and not report.dry_run):
        return
    shown = report.second_rows if verbosity > 0 else report.second_rows[:SHOWN]
    text = "Rows without an item id, each with the item that looks like it. Where it is the same job:"
    yield from wrapped(text, width)
    yield f"    {ADD_ITEM_ID}"
    yield from (f"    {line}" for line in shown)
    if len(report.second_rows) > len(shown):
        yield f"    … and {len(report.second_rows) - len(shown):,} more: -v lists them all"


def _lost(report: Report, verbosity: int, width: int) -> Iterator[str]:
    """Edits that lost: said once."""
    entry = report.settled
    if not entry.count:
        return
    verb = "would lose" if _may(report) else "lost"
    yield from wrapped(
        f"{counted(entry.count, 'edit')} {verb} against another one of the same field (this is said once; "
        "monday_sync.sync_conflict keeps the values):",
        width,
    )
    yield from _told(entry, verbosity, width, lost_text)


def _told(entry: IssueList, verbosity: int, width: int, text: Callable[[Mapping[str, Any]], str]) -> Iterator[str]:
    shown = entry.details if verbosity > 0 else entry.details[: 2 * SHOWN]
    for detail in shown:
        yield from wrapped(place_text(detail), width, first="    ", rest="      ")
        yield from wrapped(text(detail), width, first="      ", rest="        ")
    if len(entry.details) > len(shown):
        yield f"      … and {len(entry.details) - len(shown):,} more: -v lists them all"
    if entry.count > len(entry.details):
        yield f"      {'The others' if shown else 'All of them'} are in the table monday_sync.sync_conflict."


def _notes(report: Report, width: int) -> Iterator[str]:
    if report.notes:
        yield "  Good to know:"
    for note in report.notes:
        yield from wrapped(note, width, first="    - ", rest="      ")


def _needs_a_person(report: Report, verbosity: int, width: int) -> Iterator[str]:
    kinds = (
        _quarantined(report.quarantined),
        _conflicts(report.conflicts),
        _alike(report.would_merge),
        _fanned(report.fanned),
    )
    if any(entry.count for entry, _text, _table in kinds):
        yield "  Needs a person:"
    for entry, text, name in kinds:
        if not entry.count:
            continue
        yield from wrapped(f"{text}.", width, first="    ", rest="      ")
        if entry is report.conflicts:
            yield from _told(entry, verbosity, width, waiting_text)
            continue
        shown = entry.details if verbosity > 0 else entry.details[:SHOWN]
        yield from _listed(shown, width)
        if len(entry.details) > len(shown):
            yield f"      … and {len(entry.details) - len(shown):,} more: -v lists them all"
        if entry.count > len(entry.details):
            yield f"      {'The others' if shown else 'All of them'} are in the table monday_sync.{name}."


def _quarantined(entry: IssueList) -> tuple[IssueList, str, str]:
    text = (
        f"{counted(entry.count, 'value')} could not be carried to the other side{_new(entry)}: what stood there before "
        "still stands there; correct each one where it was typed, and the next run takes it"
    )
    return entry, text, "sync_dead"


def _conflicts(entry: IssueList) -> tuple[IssueList, str, str]:
    text = (
        f"{counted(entry.count, 'field was', 'fields were')} edited on both sides{_new(entry)}, and both edits stand "
        "where they were made: make both sides equal by hand, or let one side win with --on-conflict monday "
        "(sync_monday_to_pg.py) or --on-conflict pg (sync_pg_to_monday.py)"
    )
    return entry, text, "sync_conflict"


def _alike(entry: IssueList) -> tuple[IssueList, str, str]:
    text = (
        f"{counted(entry.count, 'pair')} of rows may be the same person, firm or job{_new(entry)}: rows are never "
        "merged by themselves, that is yours to decide"
    )
    return entry, text, "sync_dead"


def _fanned(entry: IssueList) -> tuple[IssueList, str, str]:
    one = entry.count == 1
    text = (
        f"{counted(entry.count, 'row was', 'rows were')} edited in PostgreSQL of which more than 25 items show the "
        f"values; no item was changed for {'it' if one else 'them'}: if all of these items are to be rewritten, run "
        "with --allow-fanout"
    )
    return entry, text, "sync_row"


def _reason(report: Report, width: int) -> Iterator[str]:
    """Why a plan was refused, beside it; every other failure is one sentence of its own on stderr."""
    if report.exit_code is Exit.REFUSED and report.planned:
        yield from wrapped(report.reason, width)


def _new(entry: IssueList) -> str:
    if entry.new == entry.count:
        return ""
    return f" ({entry.new:,} of them new)" if entry.new else " (none of them new)"


def _listed(details: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    """What has the same reason stands together under it."""
    by_reason: dict[str, list[str]] = {}
    for detail in details:
        place = "  ".join(str(value) for name, value in detail.items() if name != "reason")
        by_reason.setdefault(str(detail.get("reason", "")), []).append(place)
    for reason, places in by_reason.items():
        if reason:
            yield from wrapped(reason, width, first="      ", rest="      ")
        for place in places:
            yield from wrapped(place, width, first="        " if reason else "      ", rest="          ")


def _foot(report: Report, width: int) -> list[str]:
    monday = report.monday
    requests, points = int(monday.get("requests", 0)), int(monday.get("complexity", 0))
    again = " (the real run costs as much again)" if report.dry_run and requests and report.items is None else ""
    parts = [f"{report.duration_s:.1f} s", counted(requests, "request") + again]
    items = sum(board.fetched for board in report.boards.values() if report.items is not None or board.mode == "full")
    if points:
        parts.append(counted(points, "complexity point") + (f", {points // items:,} an item" if items else ""))
    if report.items is not None and monday.get("mutations"):
        parts.append(f"{int(monday['mutations']):,} of them writing")
    if report.forecast:
        parts.append(report.forecast)
    if monday.get("retries"):
        retries = counted(int(monday["retries"]), "retry", "retries")
        parts.append(f"{retries}, {monday.get('waited_s', 0):.0f} s waited")
    if report.calls.get("limit"):
        parts.append(f"{report.calls['today']:,g} of {report.calls['limit']:,} calls of today used")
    if report.digest:
        parts.append(f"plan {report.digest}")
    parts.append(f"exit {int(report.exit_code)} ({_EXITS[report.exit_code]})")
    return wrapped(" · ".join(parts), width, rest="  ")


_EXITS = {
    Exit.DONE: "done",
    Exit.BUG: "a bug",
    Exit.USAGE: "usage or settings",
    Exit.DRIFT: "a board or table is not what the mapping says",
    Exit.REFUSED: "a guard refused",
    Exit.PERSON_NEEDED: "done, a person is needed",
    Exit.LEASE_HELD: "another run is at work",
    Exit.UNAVAILABLE: "temporary trouble: run it again",
    Exit.WOULD_WRITE: "something would be written",
    Exit.INTERRUPTED: "interrupted",
}
