"""Items asked for by their ids: in portions that monday answers, then sorted into the active ones and the gone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from monday.completeness import ById, Gone
from monday.errors import Action, Refusal
from monday.pagination import PAGE_SIZES, PageSize, items_of
from monday.queries import IDS_PER_ROOT, BoardQueries
from monday.responses import Aliases, ItemsAnswer
from monday.transport import Listener, Transport
from reconcile.errors import Unavailable

T = TypeVar("T")

Ask = Callable[[int, Sequence[T], Collection[Action]], Aliases]
"""Sends one portion: where it begins, what is in it, and the actions that come as Refusal."""

_found = msgspec.json.Decoder(ItemsAnswer)


def portions(what: str, wanted: Sequence[T], size: PageSize, ask: Ask[T]) -> Iterator[tuple[Sequence[T], Aliases]]:
    """All that is wanted, 500 at once or as many as monday answers, each portion with its answer.

    At least one is asked for, be it empty. Raises SyncError.
    """
    start = 0
    while True:
        portion = wanted[start : start + size.now]
        settle = (Action.HALVE_PAGE,) if len(portion) > PAGE_SIZES[0] else ()
        try:
            answer = ask(start, portion, settle)
        except Refusal:
            size.failed(what, len(portion))
            continue
        size.worked()
        yield portion, answer
        start += len(portion)
        if start >= len(wanted):
            return


class ByIds:
    """Reads the rows of `queries` by id."""

    def __init__(self, transport: Transport, queries: Mapping[str, BoardQueries], on_event: Listener) -> None:
        self._transport = transport
        self._queries = queries
        self._on_event = on_event

    def read(self, board: str, ids: Collection[int]) -> Iterator[ById]:
        """The named items, 500 a request; ids that are no active item of this board come as gone."""
        queries, wanted = self._queries[board], sorted(set(ids))

        def ask(_start: int, portion: Sequence[int], settle: Collection[Action]) -> Aliases:
            document, variables = queries.by_id_request(portion)
            return self._transport.execute(document, variables, settle=settle).data

        if wanted:
            for portion, answer in portions(board, wanted, PageSize(self._on_event), ask):
                found = [raw for n in range(-(-len(portion) // IDS_PER_ROOT)) for raw in items_at(answer, n)]
                yield sorted_out(board, queries.board_id, portion, found)


def items_at(answer: Aliases, root: int) -> list[msgspec.Raw]:
    """What came under the alias `i0`, `i1`…"""
    found: list[msgspec.Raw] | None = part(answer, f"i{root}", list[msgspec.Raw] | None)
    return found or []


def sorted_out(board: str, board_id: int, asked: Sequence[int], found: Sequence[msgspec.Raw]) -> ById:
    """The active items of that board, and what became of every other id that was asked for."""
    alive, gone = [], dict.fromkeys(asked, Gone.SILENT)
    for item in items_of(board, found):
        state = _place(board_id, _found.decode(item.raw))
        if state is None:
            alive.append(item)
            gone.pop(item.id, None)
        else:
            gone[item.id] = state
    return ById(alive, gone)


def _place(board_id: int, found: ItemsAnswer) -> Gone | None:
    if found.state == "deleted":
        return Gone.DELETED
    if found.board is not None and int(found.board.id) != board_id:
        return Gone.MOVED
    if found.parent_item is not None:  # a subitem, which no board lists among its items
        return Gone.MOVED
    return Gone.ARCHIVED if found.state == "archived" else None


def part(aliases: Aliases, alias: str, shape: Any) -> Any:
    """One root field of an answer. Raises Unavailable when it has not the shape that was asked for."""
    try:
        return msgspec.json.decode(aliases[alias], type=shape)
    except (KeyError, msgspec.DecodeError):
        raise Unavailable(
            f"monday.com left {alias} out of its answer or changed its shape: run it again later"
        ) from None
