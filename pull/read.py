"""Reading the boards: from monday.com, whole or what changed, or from a cache. Only what differs is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

import timing
from data_cache import FORMAT, CachedBoard, CacheWriter, Header, list_caches, newest_cache, open_cache
from monday.boards import BoardSchema, SchemaMoved
from monday.completeness import Gone as GoneOnMonday
from monday.completeness import Read, ReadResult
from monday.pagination import Page
from monday.queries import LARGEST_PAGE
from reconcile.base import digest_of
from reconcile.change_filter import ChangeFilter
from reconcile.errors import ConfigError, Exit, SyncError, Unavailable
from reconcile.items import RawItem
from reconcile.journal_ops import CreateOp, JournalOp, OpenBatch
from reconcile.plan_pull import Gone
from reconcile.types import ItemKey, ItemState
from run.context import PULL, Run
from run.drift import refuse_drift
from run.json_command import print_unmade
from run.report import BoardReport, ReadMode, counted
from run.start import RunStart
from run.version import heed_version
from settings import load_settings
from terminal.say import say

logger = logging.getLogger(__name__)

FULL_READ_EVERY = timedelta(hours=24)
CLOCKS_AGREE = timedelta(minutes=1)


@dataclass(slots=True)
class Snapshot:
    """What one read gave: a filter and a verdict per board, and what became of known items that did not come.

    `told_at` is monday's time when it began, `asked_at` the same where it can be compared with ours.
    """

    filters: dict[str, ChangeFilter]
    outcomes: dict[str, ReadResult] = field(default_factory=dict)
    schemas: dict[str, BoardSchema] = field(default_factory=dict)
    modes: dict[str, ReadMode] = field(default_factory=dict)
    gone: dict[ItemKey, Gone] = field(default_factory=dict)
    asked_at: datetime | None = None
    told_at: datetime | None = None
    left_out: set[ItemKey] = field(default_factory=set)
    """Items that are not to be written, and that the next run reads again."""

    def is_complete(self, board: str) -> bool:
        """Whether every item of the board is accounted for. A read that does not say so is not."""
        outcome = self.outcomes.get(board)
        return outcome is not None and outcome.complete


@timing.timed("fetch")
def read_boards(run: Run, start: RunStart) -> Snapshot:
    """Read all boards of this run. Raises SyncError when one cannot be read as it has to be."""
    run.keep_lease()
    run.database.close()  # nothing is held while monday.com answers
    snapshot = _replay(run, start) if run.options.replays else _from_monday(run, start)
    if not run.options.replays:
        heed_version(run, run.client)  # once more: it may have been exchanged under the read
    run.lease.stop()  # from here on the writing transaction holds the lease's row: a renewal would only collide with it
    if not _everything_again(run) and start.every_board is None:
        _leave_standing(start, snapshot)
    for board, change_filter in snapshot.filters.items():
        outcome = snapshot.outcomes[board]
        schema = snapshot.schemas.get(board)
        run.report.boards[board] = BoardReport(
            board_id=run.board_ids[board],
            title=schema.title if schema else board,
            fetched=change_filter.seen,
            complete=outcome.complete,
            mode=snapshot.modes[board],
            items_count=outcome.items_count,
            changed=len(change_filter.states),
            unchanged=change_filter.unchanged,
            note=outcome.why,
        )
        if change_filter.outdated:
            run.report.notes.append(
                f"{counted(change_filter.outdated, 'item')} of the {board} board came in an older state than was "
                "synced before, and changed nothing."
            )
    return snapshot


def _leave_standing(start: RunStart, snapshot: Snapshot) -> None:
    """Leave out items that were looked at for what they are listed for, where neither side tells anything new of it."""
    for board, change_filter in snapshot.filters.items():
        shown = {item_id: text for (name, item_id), text in start.sync_state.standing.items() if name == board}
        if not shown or any(name == board for name, _item in snapshot.gone):
            continue
        known = start.known(board)
        if all(
            state.id in shown
            and int(state.updated_at.timestamp()) == known[state.id].updated_at
            and not state.bad
            and digest_of(state.values) == shown[state.id]
            for state in change_filter.states.values()
        ):
            change_filter.unchanged += len(change_filter.states)
            change_filter.states.clear()


def exclude_unconfirmed_creates(run: Run, start: RunStart, snapshot: Snapshot, unfinished: Sequence[OpenBatch]) -> None:
    """Leave out items that may be new ones of ours, whose creation is in doubt: landing them would double rows."""
    boards = {board_id: board for board, board_id in run.board_ids.items()}
    for board, change_filter in snapshot.filters.items():
        known = start.known(board)
        new = [state for state in change_filter.states.values() if state.id not in known]
        batches = [batch for batch in unfinished if boards.get(batch.board_id) == board and _creates(batch)]
        doubtful = {item_id for batch in batches for item_id in _doubtful(run, board, batch, new)} if new else set()
        for item_id in doubtful:
            del change_filter.states[item_id]
        if doubtful:
            run.report.notes.append(
                f"{counted(len(doubtful), 'new item')} of the {board} board may have been made by a push whose answer "
                "was lost: left for a later run, when that is certain."
            )


def _creates(batch: OpenBatch) -> list[JournalOp]:
    return [op for op in batch.unmade if isinstance(op.content, CreateOp)]


def _doubtful(run: Run, board: str, batch: OpenBatch, new: Sequence[ItemState]) -> set[int]:
    """Those of the new items that this request may have made: by their marker, else by their maker. A saved read tells
    neither of them, so that each may be one."""
    from push.lost import made_since, marker_tells  # late: next to no run needs them, and they know how to write

    rows = {op.row for op in _creates(batch)}
    marked = {state.id for state in new if state.marker in rows}
    plain = {state.id for state in new if not state.marker}
    if run.options.replays:
        return marked | plain
    shown = run.client.look({})
    if marker_tells(shown, board, batch):
        return marked
    return marked | (plain & {made.id for made in made_since(run.client, board, batch, shown.user_id)})


def _from_monday(run: Run, start: RunStart) -> Snapshot:
    if run.options.limit is not None:
        run.calls.need(1 + len(run.board_ids) * _pages(run.options.limit))
        schemas = run.client.preflight()
        return _take(run, start, run.client.limited(schemas, run.options.limit), "full")
    snapshot = _changes(run, start) if _may_read_changes(run, start) else None
    if snapshot is not None:
        moved = any(_columns_moved(start, schema.id, revisions(run, schema)) for schema in snapshot.schemas.values())
        if all(snapshot.is_complete(board) for board in run.board_ids) and not moved:
            return snapshot
        logger.info("changes do not add up: reading everything")
    try:
        return _everything(run, start)
    except SchemaMoved:
        logger.warning("columns changed while the boards were read: starting over once")
        return _everything(run, start)


def _may_read_changes(run: Run, start: RunStart) -> bool:
    """Changes are enough when the last full read is fresh and was made with today's mapping."""
    boards = [start.sync_state.boards.get(board_id) for board_id in run.board_ids.values()]
    now = start.sync_state.now
    return not (run.options.full or start.restored or _everything_again(run)) and all(
        board is not None
        and board.watermark is not None
        and board.last_full_at is not None
        and board.mapping_hash == start.hash_keys[board.board].hex()
        and now is not None
        and now - board.last_full_at < FULL_READ_EVERY
        for board in boards
    )


def _columns_moved(start: RunStart, board_id: int, columns: Sequence[str]) -> bool:
    """Whether these are not the columns that the board was last read with, or have other settings: a renamed label
    shows in every cell, and no item says it was changed.
    """
    known = start.sync_state.boards.get(board_id)
    return known is not None and known.columns != columns


def revisions(run: Run, schema: BoardSchema) -> list[str]:
    """The columns that are read, each with the revision of its settings: `id revision`, sorted."""
    there = run.mappings[schema.board].keys() & schema.columns.keys()
    return sorted(f"{column_id} {schema.columns[column_id].revision}" for column_id in there)


def _everything_again(run: Run) -> bool:
    """Whether unchanged items matter too: to adopt one side's values, or to begin afresh."""
    return run.options.resync or run.options.adopt is not None


def _changes(run: Run, start: RunStart) -> Snapshot | None:
    """What changed since the watermarks; None where monday's clock was set back behind one, so that it would hide what
    was changed since."""
    run.calls.need(1)
    watermarks = {name: mark for name, board_id in run.board_ids.items() if (mark := start.watermark(board_id))}
    known = {name: start.active(name) for name in run.board_ids}
    extra = {name: start.open_items(name) for name in run.board_ids}
    read, told = run.client.changed(watermarks, known, extra), run.client.answered_at
    if told is not None and any(mark > told + CLOCKS_AGREE for mark in watermarks.values()):
        logger.warning("monday's clock was set back behind the watermark")
        return None
    return _take(run, start, read, "incremental")


def _everything(run: Run, start: RunStart) -> Snapshot:
    known = {name: start.active(name) for name in run.board_ids}
    run.calls.need(2 + sum(_pages(len(ids)) for ids in known.values()))  # before the boards tell how many they hold
    schemas = run.client.preflight()
    run.calls.need(run.client.full_calls(schemas))
    return _take(run, start, run.client.full(schemas, known), "full")


def _pages(items: int) -> int:
    return max(1, -(-items // LARGEST_PAGE))


def _take(run: Run, start: RunStart, read: Read, mode: ReadMode) -> Snapshot:
    heed_version(run, run.client)
    refuse_drift(run, start, read.schemas)
    snapshot = _empty_snapshot(run, start, mode)
    snapshot.schemas = read.schemas
    snapshot.told_at = run.client.answered_at
    snapshot.asked_at = _believed(snapshot.told_at)
    for change_filter in snapshot.filters.values():
        change_filter.monday_s = snapshot.told_at.timestamp() if snapshot.told_at is not None else None
    for name, schema in read.schemas.items():
        run.progress.board_total(name, schema.items_count)
    with ExitStack() as stack:
        writers = dict(_cache_writers(run, start, read, mode))
        for writer in writers.values():
            stack.callback(writer.abandon)  # of no effect once it is finished
        for page in read.pages():
            _take_page(run, snapshot, page)
            if page.board in writers:
                writers[page.board].add(page.items)
        snapshot.outcomes = dict(read.outcome)
        for name, writer in writers.items():
            writer.finish(complete=read.outcome[name].complete, items_count=read.outcome[name].items_count)
            run.cache_trouble = run.cache_trouble or writer.trouble
    for name, outcome in snapshot.outcomes.items():
        if mode == "full" and run.options.limit is None and not outcome.complete:
            raise Unavailable(f"{outcome.why}: nothing was written, run it again.")
        snapshot.gone |= {(name, item_id): state for item_id, state in _gone(outcome, mode)}
    return snapshot


def _believed(told: datetime | None) -> datetime | None:
    """monday's clock, if it agrees with this one: a watermark ahead of the truth would lose edits."""
    agrees = told is not None and told.tzinfo is not None and abs(datetime.now(UTC) - told) <= CLOCKS_AGREE
    return told if agrees else None


def _gone(outcome: ReadResult, mode: ReadMode) -> Iterator[tuple[int, Gone]]:
    """Silence counts only after a complete read; an item that monday says is archived or deleted is that at once."""
    names: dict[GoneOnMonday, Gone] = {
        GoneOnMonday.ARCHIVED: "archived",
        GoneOnMonday.DELETED: "deleted",
        GoneOnMonday.MOVED: "moved",
        GoneOnMonday.SILENT: "silent",
    }
    for item_id, state in outcome.gone.items():
        if state is not GoneOnMonday.SILENT or (mode == "full" and outcome.complete):
            yield item_id, names[state]


def _take_page(run: Run, snapshot: Snapshot, page: Page) -> None:
    try:
        snapshot.filters[page.board].take(page.items)
    except (msgspec.DecodeError, ValueError) as error:  # nothing of the item is shown: it is a person's data
        source = "The cache" if run.options.replays else "monday.com's answer"
        raise ConfigError(
            f"{source} holds something on the {page.board} board that is no item: run it again, without a cache."
        ) from error
    timing.count(rows=len(page.items))
    run.progress.advance(page.board, len(page.items))


def _empty_snapshot(run: Run, start: RunStart, mode: ReadMode) -> Snapshot:
    again = _everything_again(run)
    filters = {
        name: ChangeFilter(layout, start.hash_keys[name], start.known(name), again)
        for name, layout in run.layouts.items()
    }
    return Snapshot(filters, modes=dict.fromkeys(run.layouts, mode))


def _cache_writers(run: Run, start: RunStart, read: Read, mode: ReadMode) -> Iterable[tuple[str, CacheWriter]]:
    """A full or limited read is kept as it goes; what changed since some day would replay as next to nothing."""
    if mode == "incremental":
        return
    limited = run.options.limit is not None
    for name, schema in read.schemas.items():
        header = Header(
            FORMAT,
            name,
            schema.id,
            schema.account_id,
            datetime.now(UTC),
            start.hash_keys[name].hex(),
            "limited" if limited else "full",
            run.settings.monday_api_version,
            revisions(run, schema),
        )
        yield name, CacheWriter(run.settings.cache_dir, header, run.run_id)


# The cache ------------------------------------------------------------------------------------------------------------


def _replay(run: Run, start: RunStart) -> Snapshot:
    """The same code path as the wire, from files; nothing is gone because of a cache."""
    caches = _caches(run)
    run.layouts = {name: layout for name, layout in run.layouts.items() if name in caches}
    snapshot = _empty_snapshot(run, start, "cache")
    for name, cached in caches.items():
        _refuse_another_account(start, cached)
        snapshot.filters[name].moved = _columns_moved(start, cached.header.board_id, cached.header.columns)
        run.progress.board_total(name, cached.trailer.items)
        for items in _limited(cached.pages(), run.options.limit):
            _take_page(run, snapshot, Page(name, items))
        counted = cached.trailer.items_count or cached.trailer.items
        read = "a read of a part of the board" if cached.header.mode == "limited" else "a whole read"
        why = f"saved {_age(cached.age())} ago by {read}"
        snapshot.outcomes[name] = ReadResult(name, "limited", False, counted, snapshot.filters[name].seen, {}, why)
    return snapshot


def _refuse_another_account(start: RunStart, cached: CachedBoard) -> None:
    """A cache is bound to account and board; a database that was never synced takes any. Raises ConfigError."""
    state, account_id = start.sync_state.boards.get(cached.header.board_id), cached.header.account_id
    if state is not None and state.account_id not in (None, "", account_id):
        raise ConfigError(
            f"The cache {cached.path} is of account {account_id or 'unknown'}, and the board was last synced from "
            f"account {state.account_id}: choose a cache of that account."
        )


def _limited(pages: Iterable[list[RawItem]], limit: int | None) -> Iterator[list[RawItem]]:
    left = limit
    for items in pages:
        if left is None:
            yield items
            continue
        yield items[:left]
        left -= len(items)
        if left <= 0:
            return


def _caches(run: Run) -> dict[str, CachedBoard]:
    """The chosen files, or the newest of each board. Raises ConfigError for a missing or bad one."""
    if not run.options.cache_files:
        folder = run.settings.cache_dir
        return {
            name: open_cache(newest_cache(folder, name), board_id=board_id) for name, board_id in run.board_ids.items()
        }
    chosen: dict[str, CachedBoard] = {}
    for path in run.options.cache_files:
        name = path.name.partition("-")[0]
        if name not in run.board_ids:
            raise ConfigError(
                f"The file {path} is not a saved read of a board of this run: its name begins with "
                f"{' or '.join(f'{board}-' for board in run.board_ids)}; --list-cache shows what there is."
            )
        chosen[name] = open_cache(path, board_id=run.board_ids[name])
    return chosen


def print_caches(folder: Path | None = None, *, as_json: bool = False) -> Exit:
    """Print every cache: board, items, complete or not, age, path."""
    try:
        folder = folder or load_settings(need_monday=False, need_database=False).cache_dir
        caches = list_caches(folder)
    except SyncError as error:
        if as_json:
            print_unmade(PULL, str(error), code=Exit(error.exit_code))
        raise
    if as_json:
        listed = [
            {
                "board": entry.board,
                "items": entry.items,
                "complete": entry.complete,
                "problem": entry.problem or None,
                "fetched_at": entry.fetched_at.isoformat(timespec="seconds"),
                "path": str(entry.path),
            }
            for entry in caches
        ]
        print_unmade(PULL, code=Exit.DONE, caches=listed)
        return Exit.DONE
    if not caches:
        say(f"No saved read in {folder}: a run that reads a whole board, or --limit N of it, saves one.")
    for entry in caches:
        age = _age(datetime.now(UTC) - entry.fetched_at)
        whole = entry.problem or ("complete" if entry.complete else "partial")
        say(f"{entry.board:<8}{counted(entry.items or 0, 'item'):>14}  {whole:<9}{age:>10} old  {entry.path}")
    return Exit.DONE


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} days"
