"""The proof that both sides agree: reads the boards whole, and compares each portion of items while the next ones are
still on their way. No transaction is open while monday.com answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import msgspec

from data_cache import CachedBoard, newest_cache, open_cache
from models import Row, RowId
from monday.boards import BoardSchema
from monday.pagination import Page
from monday.queries import LARGEST_PAGE
from monday_api import BOARDS
from postgres.transaction import Transaction
from postgres.verify import (
    Outset,
    Portion,
    Remembered,
    Told,
    deleted_rows,
    edited_rows,
    known_items,
    read_doubled,
    read_new_rows,
    read_nobody,
    read_outset,
    read_portion,
    read_remembered,
    read_strays,
    read_told,
    said_of,
    was_at_work,
)
from reconcile import verify
from reconcile.change_filter import hash_key, hash_of
from reconcile.decode import decode
from reconcile.errors import ConfigError, DriftError, Unavailable
from reconcile.items import RawItem, decode_item
from reconcile.layout import Layout, compile_layout
from reconcile.types import Field, ItemState
from reconcile.verify import Cause, Census, Difference, Holder, Memory, RowFacts, Walked
from run.calls import DailyCalls
from run.conflicts import item_name
from run.progress import Progress
from status.window import Window

PORTION = 1_000
"""Items that are compared at once: their rows and what they show are in memory together."""
KEPT = 100
"""Differences of one cause that are kept to be listed, unless all are asked for; the counts are always whole."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for."""

    boards: Collection[str]
    limit: int | None = None
    use_cache: bool = False
    every_one: bool = False


@dataclass(slots=True)
class BoardProof:
    """How far one board was compared. `whole`: every item of it came by; `note` says of which read."""

    items: int = 0
    cells: int = 0
    unread: int = 0
    outdated: int = 0
    whole: bool = False
    note: str = ""


@dataclass(slots=True)
class Proof:
    """What came out. `counts` are all differences, by cause and kind, `listed` those of them that are kept."""

    boards: dict[str, BoardProof] = field(default_factory=dict)
    counts: Counter[tuple[Cause, str]] = field(default_factory=Counter)
    listed: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    requests: int = 0
    kept: int | None = KEPT

    def add(self, found: Iterable[Difference], name: str | None = None) -> None:
        """Count differences of an item of that name, and keep as many of each cause as are to be listed."""
        for difference in found:
            cause = difference.cause
            if self.kept is None or self.of(cause) < self.kept:
                self.listed.append(replace(difference, name=name))
            self.counts[cause, difference.kind] += 1

    def of(self, cause: Cause) -> int:
        """How many differences have a cause."""
        return sum(count for (known, _kind), count in self.counts.items() if known is cause)


Say = Callable[[str], object]


def prove(window: Window, asked: Asked, say: Say, progress: Progress) -> Proof:
    """Read, compare, look at whole boards. `say` is told beforehand what it costs.

    Raises DriftError for boards or tables that are not as mapped, ConfigError for boards that were never read into this
    database and for caches that are missing or bad, Unavailable where the day has not so many calls left.
    """
    board_ids = {board: board_id for board, board_id in window.board_ids.items() if board in asked.boards}
    tables = {board: _record_table(board, board_id) for board, board_id in board_ids.items()}
    outset = window.read(partial(read_outset, tables=tables), "looking at the database")
    _refuse_unread(board_ids, outset)
    layouts = {
        board: compile_layout(board, board_id, BOARDS[board], outset.limits) for board, board_id in board_ids.items()
    }
    proof = Proof({board: BoardProof() for board in layouts}, kept=None if asked.every_one else KEPT)
    prover = _Prover(window, outset, layouts, proof, from_cache=asked.use_cache)
    if asked.use_cache:
        _replay(prover, asked, progress)
    else:
        _read(prover, asked, say, progress)
    prover.finish()
    return proof


def _record_table(board: str, board_id: int) -> str:
    return compile_layout(board, board_id, BOARDS[board]).record.table


def _refuse_unread(board_ids: Mapping[str, int], outset: Outset) -> None:
    for board, board_id in board_ids.items():
        known = outset.boards.get(board_id)
        if known is None or known.last_full_at is None:
            raise ConfigError(
                f"The {board} board was never read whole into this database, so there is nothing to compare: run "
                "sync_monday_to_pg.py first."
            )


def _refuse_other_account(board: str, known: str | None, found: str) -> None:
    if known not in (None, "", found):
        raise DriftError(
            f"The {board} board is of account {found or 'unknown'}, and was synced from account {known}: check "
            "MONDAY_API_KEY and DATABASE_URL, which belong together."
        )


def _refuse_drift(schemas: Mapping[str, BoardSchema], outset: Outset) -> None:
    problems = [
        f'Column {drift.column_id} ("{BOARDS[board][drift.column_id].title}") of the {board} board is '
        f"{drift.difference}: restore it on the board."
        for board, schema in schemas.items()
        for drift in schema.drift(BOARDS[board])
        if drift.fatal
    ]
    if problems:
        raise DriftError("The boards are not what the mapping says. " + " ".join(problems))
    for board, schema in schemas.items():
        _refuse_other_account(board, outset.boards[schema.id].account_id, schema.account_id)


def _read(prover: _Prover, asked: Asked, say: Say, progress: Progress) -> None:
    outset, window = prover.outset, prover.window
    calls = DailyCalls("", window.settings.daily_calls, window.database.sibling, counts=False)
    calls.open(outset.now, outset.calls, counts=False)
    calls.need(1, "nothing was read")
    boards = {board: layout.board_id for board, layout in prover.layouts.items()}
    with window.client(boards) as client:
        schemas = client.preflight()
        _refuse_drift(schemas, outset)
        if asked.limit is not None:
            cost = sum(_pages(min(asked.limit, schema.items_count)) for schema in schemas.values())
            read = client.limited(schemas, asked.limit)
        else:
            cost = client.full_calls(schemas)
            read = client.full(schemas, outset.records)
        calls.need(1 + cost, "nothing was compared")
        say(_cost(schemas, asked, 1 + cost, outset, window.settings.daily_calls))
        for board, schema in schemas.items():
            progress.board_total(board, schema.items_count)
        prover.take(_shown(read.pages(), progress))
        for board, outcome in read.outcome.items():
            if asked.limit is None and not outcome.complete:
                raise Unavailable(f"{outcome.why}: nothing is proved, run it again.")
            prover.proof.boards[board].whole = outcome.complete
            prover.proof.boards[board].note = "read now" if outcome.complete else outcome.why
            prover.gone[board] = {item_id: state.value for item_id, state in outcome.gone.items()}
        prover.proof.requests = int(client.stats.requests)


def _pages(items: int) -> int:
    return max(1, -(-items // LARGEST_PAGE))


def _cost(schemas: Mapping[str, BoardSchema], asked: Asked, requests: int, outset: Outset, limit: int | None) -> str:
    boards = " and ".join(_share(schema, asked.limit) for schema in schemas.values())
    left = "" if limit is None else f" of the {limit:,} that SYNC_DAILY_CALLS allows"
    return (
        f"Reads {boards}: {requests:,} requests, each one call of the day, of which {outset.calls:,g}{left} are used. "
        "Nothing is written on either side."
    )


def _share(schema: BoardSchema, limit: int | None) -> str:
    all_of_it = f"{schema.items_count:,} items of the {schema.board} board"
    return all_of_it if limit is None else f"{min(limit, schema.items_count):,} of {all_of_it}"


def _shown(pages: Iterator[Page], progress: Progress) -> Iterator[tuple[str, Sequence[RawItem]]]:
    for page in pages:
        yield page.board, page.items
        progress.advance(page.board, len(page.items))


def _replay(prover: _Prover, asked: Asked, progress: Progress) -> None:
    folder = prover.window.settings.cache_dir
    caches = {
        board: open_cache(newest_cache(folder, board), board_id=layout.board_id)
        for board, layout in prover.layouts.items()
    }
    for board, cached in caches.items():
        known = prover.outset.boards[cached.header.board_id].account_id
        _refuse_other_account(board, known, cached.header.account_id)
        progress.board_total(board, cached.trailer.items)
        told = prover.proof.boards[board]
        told.whole = cached.complete and asked.limit is None
        told.note = f"saved read of {cached.header.fetched_at.astimezone():%Y-%m-%d %H:%M %Z}"
        prover.read_at[board] = cached.header.fetched_at
        prover.take(_cached(board, cached, asked.limit, progress))


def _cached(
    board: str, cached: CachedBoard, limit: int | None, progress: Progress
) -> Iterator[tuple[str, Sequence[RawItem]]]:
    left = limit
    for items in cached.pages():
        some = items if left is None else items[:left]
        yield board, some
        progress.advance(board, len(some))
        left = None if left is None else left - len(some)
        if left == 0:
            return


@dataclass(slots=True)
class _Prover:
    """Compares what comes by, and keeps nothing of what agrees but who it was."""

    window: Window
    outset: Outset
    layouts: Mapping[str, Layout]
    proof: Proof
    from_cache: bool
    census: Census = field(default_factory=Census)
    gone: dict[str, dict[int, str]] = field(default_factory=dict)
    read_at: dict[str, datetime] = field(default_factory=dict)
    keys: dict[str, bytes] = field(init=False)

    def __post_init__(self) -> None:
        limits = sorted(map(repr, self.outset.limits.items()))
        self.keys = {board: hash_key(BOARDS[board], limits) for board in self.layouts}

    def take(self, pages: Iterable[tuple[str, Sequence[RawItem]]]) -> None:
        """Compare the items of all pages, some at a time."""
        waiting: dict[str, list[tuple[RawItem, ItemState]]] = {board: [] for board in self.layouts}
        for board, items in pages:
            waiting[board] += self._decoded(board, items)
            if len(waiting[board]) >= PORTION:
                self._compare(board, waiting.pop(board))
                waiting[board] = []
        for board, states in waiting.items():
            if states:
                self._compare(board, states)

    def _decoded(self, board: str, items: Sequence[RawItem]) -> Iterator[tuple[RawItem, ItemState]]:
        layout = self.layouts[board]
        for raw in items:
            try:
                state = decode(layout, decode_item(raw.raw))
            except (msgspec.DecodeError, ValueError):  # nothing of the item is shown: it is a person's data
                raise ConfigError(f"Something on the {board} board is no item: run it again.") from None
            if self.census.take(state):
                yield raw, state

    def _compare(self, board: str, items: Sequence[tuple[RawItem, ItemState]]) -> None:
        layout, told = self.layouts[board], self.proof.boards[board]
        ids = [state.id for _raw, state in items]
        work = partial(read_portion, layout=layout, present=self.outset.present, item_ids=ids)
        portion = self.window.database.transact(work, read_only=True, label="reading rows")
        odd: list[_Odd] = []
        for raw, state in items:
            told.items += 1
            told.unread += (unread := sum(value is msgspec.UNSET for value in state.values))
            told.cells += len(layout.fields) - unread
            one = _looked_at(raw, state, layout, portion)
            if one is not None:
                odd.append(one)
        if odd:
            work_of = partial(self._judged, layout=layout, odd=odd)
            found, outdated = self.window.database.transact(work_of, read_only=True, label="finding causes")
            told.outdated += outdated
            for state, differences in found:
                self.proof.add(differences, item_name(layout, state.values))

    def _judged(
        self, tx: Transaction, layout: Layout, odd: Sequence[_Odd]
    ) -> tuple[list[tuple[ItemState, list[Difference]]], int]:
        remembered = read_remembered(tx, layout, self.outset.present, [one.state.id for one in odd])
        late = self.from_cache or was_at_work(tx, self.outset.now)
        facts = self._facts(tx, layout, odd, remembered)
        found: list[tuple[ItemState, list[Difference]]] = []
        outdated = 0
        for one in odd:
            base = remembered.bases.get(one.state.id)
            if late and base is not None and base.updated_at > one.state.updated_at:
                outdated += 1
                continue
            memory = self._memory(one, remembered)
            found.append((one.state, [*_differences(one, layout, memory, remembered, facts)]))
        return found, outdated

    def _memory(self, one: _Odd, remembered: Remembered) -> Memory | None:
        item_id = one.state.id
        base = remembered.bases.get(item_id)
        if base is None:
            return None
        return Memory(
            base.monday,
            base.postgres,
            base.links,
            base.tolerated_links,
            base.tolerated,
            base.state == "active",
            base.content_hash != hash_of(self.keys[one.state.board], one.raw),
            remembered.letters.get(item_id, {}),
            remembered.claims.get(item_id, {}),
            remembered.conflicts.get(item_id, ()),
        )

    def _facts(self, tx: Transaction, layout: Layout, odd: Sequence[_Odd], remembered: Remembered) -> RowFacts:
        rows: dict[str, set[RowId]] = {slot.table: set() for slot in layout.slots}
        read_only: set[RowId] = set()
        for one in odd:
            base = remembered.bases.get(one.state.id)
            links = [*(base.links if base is not None else ()), *(one.walked.ids if one.walked is not None else ())]
            for slot, row in zip([*layout.slots, *layout.slots], links, strict=False):
                if row is not None:
                    rows[slot.table].add(row)
            for differs in one.fields:
                row = one.walked.ids[layout.slot_of(differs)] if one.walked is not None else None
                if row is not None and not differs.two_way:
                    read_only.add(row)
        return RowFacts(
            edited_rows(tx, self.outset, rows),
            deleted_rows(tx, self.outset.present, rows),
            said_of(tx, layout, read_only),
        )

    def finish(self) -> None:
        """Look at what only whole boards show."""
        whole = self.window.database.transact(self._whole, read_only=True, label="looking at whole boards")
        self.proof.add(whole.found)
        for board, outdated in whole.outdated.items():
            self.proof.boards[board].outdated += outdated
        if whole.disturbed:
            self.proof.notes.append(
                "A run was at work meanwhile: items that it changed after they were read were left out; run it again."
            )

    def _whole(self, tx: Transaction) -> _Whole:
        whole = _Whole([*self.census.on_both()], disturbed=not self.from_cache and was_at_work(tx, self.outset.now))
        found = whole.found
        for board, layout in self.layouts.items():
            if self.proof.boards[board].whole:
                self._strays(tx, layout, whole)
        found += [verify.new_row(*row) for row in read_new_rows(tx, self.layouts, self.outset.present)]
        doubled = list(read_doubled(tx, self.outset.present))
        rows: dict[str, set[RowId]] = {double.table: set() for double in doubled}
        for double in doubled:
            rows[double.table] |= {*double.rows}
        told = (
            read_told(tx, {row for ids in rows.values() for row in ids}) if rows or self.census.twice else Told({}, {})
        )
        found += verify.doubled_keys(
            doubled, read_nobody(tx) if doubled else (), told.rows.get, edited_rows(tx, self.outset, rows)
        )
        boards = {board: layout.board_id for board, layout in self.layouts.items()}
        marked = {item for _marker, *pair in self.census.twice for item in pair}
        known = known_items(tx, self.layouts, marked) if marked else set()
        of_items = {item: reason for item in marked if (reason := told.markers.get((boards[item[0]], item[1])))}
        found += self.census.marked_twice(of_items, lambda item: item not in known)
        return whole

    def _strays(self, tx: Transaction, layout: Layout, whole: _Whole) -> None:
        """Rows whose items did not come by; one that was made or edited after a saved read is not judged by it."""
        missing = set(self.outset.records[layout.board]) - self.census.ids.get(layout.board, set())
        gone, read_at = self.gone.get(layout.board, {}), self.read_at.get(layout.board)
        for stray, updated_at in read_strays(tx, layout, missing, gone) if missing else ():
            if read_at is not None and updated_at is not None and updated_at >= read_at:
                whole.outdated[layout.board] += 1
            else:
                whole.found.append(verify.no_item(stray))


@dataclass(slots=True)
class _Whole:
    """What whole boards show. `disturbed`: a run was at work meanwhile."""

    found: list[Difference]
    outdated: Counter[str] = field(default_factory=Counter)
    disturbed: bool = False


@dataclass(slots=True)
class _Odd:
    """An item of which something differs. `fields` are those; `records` the rows that have its id; `archived`:
    its row says that it is gone."""

    raw: RawItem
    state: ItemState
    records: Sequence[Row]
    walked: Walked | None
    fields: list[Field]
    archived: bool = False


def _looked_at(raw: RawItem, state: ItemState, layout: Layout, portion: Portion) -> _Odd | None:
    """The item beside its rows; None where all of it agrees. Nothing that is remembered is asked."""
    records = portion.records.get(state.id, [])
    if not records:
        return _Odd(raw, state, records, None, []) if verify.needs_row(state, layout) else None
    walked = verify.walk(layout, records[0], portion.rows)
    fields = verify.unlike(state, layout, walked)
    archived = getattr(walked.record, "archived_at") is not None  # noqa: B009  of either record
    if fields or walked.dangling or len(records) > 1 or archived:
        return _Odd(raw, state, records, walked, fields, archived)
    return None


def _differences(
    one: _Odd, layout: Layout, memory: Memory | None, remembered: Remembered, facts: RowFacts
) -> Iterator[Difference]:
    state, table = one.state, layout.record.table
    if one.walked is None:
        holder = remembered.holders.get(state.id, Holder(None))
        yield verify.no_row(state.board, state.id, table, memory, holder, facts)
        return
    if len(one.records) > 1:
        rows = [row.id for row in one.records]
        yield verify.two_rows(state.board, state.id, table, rows, remembered.claims.get(state.id, {}))
    if one.archived:
        yield verify.archived(state, table, one.walked.record.id, memory)
    yield from verify.lacking_rows(state, layout, one.walked, memory, facts)
    yield from verify.judged_cells(state, layout, one.walked, one.fields, memory, facts)
