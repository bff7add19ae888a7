"""Cursor chains: one walk over a board or some of its groups, each page by the cursor of the page before.

A chain cannot be made faster than one page after the other, so a large board is split over its groups and several
chains run at once; their pages meet in one short queue.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from monday.boards import BoardGroup, absent
from monday.errors import Action, Refusal
from monday.queries import LARGEST_PAGE, BoardQueries
from monday.responses import PageAnswer as WirePage
from monday.responses import raw_items
from monday.transport import Listener, Transport
from reconcile.errors import DriftError, Unavailable
from reconcile.items import RawItem

logger = logging.getLogger(__name__)

PAGE_SIZES = (25, 50, 100, 250, LARGEST_PAGE)
PAGES_WAITING = 4  # parsed pages between reading and the caller: what bounds the memory
MOST_RESTARTS = 3
_CLIMB_AFTER = 6  # good pages before a larger one is tried again; doubles each time that fails
_SETTLED = (Action.HALVE_PAGE, Action.RESTART_CURSOR)


@dataclass(frozen=True, slots=True)
class Page:
    """Items of one board as they came, not yet decoded."""

    board: str
    items: list[RawItem]


class PageSize:
    """How many items to ask for at once: halved when a page is too heavy, raised again when pages go well.

    Shared by the chains of one board.
    """

    def __init__(self, on_event: Listener) -> None:
        self._step = len(PAGE_SIZES) - 1
        self._good = 0
        self._climb_after = _CLIMB_AFTER
        self._on_event = on_event
        self._lock = threading.Lock()

    @property
    def now(self) -> int:
        with self._lock:
            return PAGE_SIZES[self._step]

    def failed(self, board: str, size: int) -> None:
        """A page of `size`, more than the smallest, was too heavy. Several chains failing at once lower it once."""
        with self._lock:
            if PAGE_SIZES[self._step] >= size:
                self._step = max(step for step, allowed in enumerate(PAGE_SIZES) if allowed < size)
                self._climb_after *= 2
            self._good = 0
            lowered = PAGE_SIZES[self._step]
        logger.warning("page too heavy board=%s size=%d next=%d", board, size, lowered)
        self._on_event("page_size", board=board, size=lowered)

    def worked(self) -> None:
        with self._lock:
            self._good += 1
            if self._good >= self._climb_after and self._step < len(PAGE_SIZES) - 1:
                self._step += 1
                self._good = 0


@dataclass(slots=True)
class Chain:
    """One walk to be made. `most` stops it after so many items, `enough` after a page that says so.

    `cursor` starts it on its second page, where the first came with another request.
    """

    queries: BoardQueries
    params: Mapping[str, Any]
    size: PageSize
    expected: int
    """Items on the whole board: what an endless walk is told by."""
    cursor: str | None = None
    most: int | None = None
    enough: Callable[[Sequence[RawItem]], bool] | None = None


def group_chains(groups: Sequence[BoardGroup], items_count: int, width: int) -> list[tuple[str, ...]]:
    """Group ids per chain, at most `width` chains: as few pages in the longest as can be, then as few in all.

    One empty tuple, meaning the whole board, where one page is enough or the counts per group are not known.
    """
    sizes = {group.id: group.items for group in groups if group.items is not None}
    if len(sizes) < len(groups) or items_count <= LARGEST_PAGE:
        return [()]
    ways = [_spread(sizes, count) for count in range(1, min(width, len(sizes)) + 1)]
    best = min(ways, key=lambda chains: _pages(sizes, chains), default=[])
    return best if len(best) > 1 else [()]


def _spread(sizes: Mapping[str, int], count: int) -> list[tuple[str, ...]]:
    """The groups in `count` chains, each in turn, the largest first, to the chain that holds least so far."""
    chains: list[list[str]] = [[] for _ in range(count)]
    load = [(0, n) for n in range(count)]
    for group_id, size in sorted(sizes.items(), key=lambda entry: (-entry[1], entry[0])):
        held, n = heapq.heappop(load)
        chains[n].append(group_id)
        heapq.heappush(load, (held + size, n))
    return [tuple(chain) for chain in chains]


def _pages(sizes: Mapping[str, int], chains: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Pages of the longest chain, and of all."""
    pages = [max(1, -(-sum(sizes[group_id] for group_id in chain) // LARGEST_PAGE)) for chain in chains]
    return max(pages), sum(pages)


def walk(transport: Transport, chain: Chain, stop: threading.Event) -> Iterator[list[msgspec.Raw]]:
    """The pages of one chain until its last one, its limit, or `stop`.

    After an expired cursor the walk begins again, so items may come twice. Raises SyncError.
    """
    for _ in range(1 + MOST_RESTARTS):
        try:
            yield from _walk_once(transport, chain, stop)
        except Refusal as refusal:
            logger.warning("cursor lost board=%s request=%s", chain.queries.board, refusal.fault.request_id)
            chain.cursor = None
        else:
            return
    raise Unavailable(
        f"the cursor over the {chain.queries.board} board expired {MOST_RESTARTS + 1} times, an hour after its first "
        "page each time: run it again when monday.com is less busy"
    )


def _walk_once(transport: Transport, chain: Chain, stop: threading.Event) -> Iterator[list[msgspec.Raw]]:
    cursor, left = chain.cursor, chain.most
    met = {cursor}
    asked = 0
    while not stop.is_set():
        size = chain.size.now if left is None else min(chain.size.now, left)
        answered = _page(transport, chain, cursor, size)
        if answered is None:
            continue
        items = answered.items
        asked += size
        if left is not None:
            items = items[:left]
            left -= len(items)
        yield items
        cursor = answered.cursor
        if cursor is None or left == 0 or _enough(chain, items):
            return
        if cursor in met or asked > 2 * chain.expected + 4 * LARGEST_PAGE:
            raise DriftError(
                f"the {chain.queries.board} board has no last page (after {len(met)} pages a cursor came twice, or "
                f"there was room for twice its {chain.expected} items): run it again, and report it if it stays"
            )
        met.add(cursor)


def _enough(chain: Chain, items: Sequence[msgspec.Raw]) -> bool:
    return chain.enough is not None and chain.enough(items_of(chain.queries.board, items))


def _page(transport: Transport, chain: Chain, cursor: str | None, size: int) -> WirePage | None:
    """One page, or None when it has to be asked for again with fewer items.

    Raises Refusal for a dead cursor, SyncError otherwise.
    """
    queries = chain.queries
    settle = _SETTLED if size > PAGE_SIZES[0] else (Action.RESTART_CURSOR,)
    try:
        if cursor is None:
            first = transport.execute(queries.first_page, queries.first_variables(size, chain.params), settle=settle)
            board = next(iter(first.data.boards or ()), None)
            page = board.items_page if board is not None else None
            if page is None:
                raise absent(queries.board, queries.board_id)
        else:
            page = transport.execute(
                queries.next_page, queries.next_variables(size, cursor), settle=settle
            ).data.next_items_page
    except Refusal as refusal:
        if refusal.action is Action.RESTART_CURSOR:
            raise
        chain.size.failed(queries.board, size)
        return None
    chain.size.worked()
    return page


def items_of(board: str, raws: Sequence[msgspec.Raw]) -> list[RawItem]:
    """The items of one answer, copied out of it. Raises DriftError when one has no id or time of change."""
    try:
        return raw_items(raws)
    except (msgspec.DecodeError, ValueError) as error:
        raise DriftError(
            f"an item of the {board} board came without its id or its time of change: "
            "check that MONDAY_API_VERSION is one that monday.com still answers"
        ) from error


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A page as a chain's thread hands it over. The items are copied out of it in the caller's thread: memory that a
    short-lived thread allocates piecemeal stays with that thread's heap (with ten chains half as much again).
    """

    board: str
    items: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class _Done:
    """The end of one chain, with what ended it."""

    error: BaseException | None = None


def pages_of(transport: Transport, chains: Sequence[Chain]) -> Iterator[Page]:
    """The pages of all chains as they come, each chain in its own thread, yielded in the caller's.

    The first error of any chain is raised here, and the others stop at their next page; so they do when the caller
    stops iterating. The threads are daemons: an interrupted program does not wait for an answer.
    """
    ready: queue.Queue[_Arrived | _Done] = queue.Queue(PAGES_WAITING)
    stop = threading.Event()
    for chain in chains:
        threading.Thread(target=_run, args=(transport, chain, ready, stop), daemon=True, name="chain").start()
    running = len(chains)
    try:
        while running:
            with suppress(queue.Empty):
                # With a timeout, since a wait without one cannot be interrupted everywhere.
                entry = ready.get(timeout=0.5)
                if isinstance(entry, _Arrived):
                    yield Page(entry.board, items_of(entry.board, entry.items))
                    continue
                running -= 1
                if entry.error is not None:
                    raise entry.error
    finally:
        stop.set()


def _run(transport: Transport, chain: Chain, ready: queue.Queue[_Arrived | _Done], stop: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for items in walk(transport, chain, stop):
            _hand_over(_Arrived(chain.queries.board, items), ready, stop)
    except BaseException as raised:  # noqa: BLE001  it is raised again where the pages are read
        error = raised
    _hand_over(_Done(error), ready, stop)


def _hand_over(entry: _Arrived | _Done, ready: queue.Queue[_Arrived | _Done], stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(queue.Full):
            ready.put(entry, timeout=0.5)
            return
