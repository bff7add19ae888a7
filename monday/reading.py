"""The reader: which requests make a full, an incremental or a limited read, and what each of them proves.

A read hands out its items page by page in the caller's thread. Once the pages are through, `outcome` says for each
board whether every active item is accounted for, and which known items are gone. An item that merely did not come
is never gone: it is asked for by id first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monday import queries
from monday.boards import BoardSchema, SchemaMoved, group_counts, schemas_of
from monday.completeness import ById, Gone, Known, Read, ReadResult, Tally, back_to, changed_outcome, full_outcome
from monday.errors import Action, Refusal
from monday.items_by_id import ByIds, part, sorted_out
from monday.pagination import Chain, Page, PageSize, group_chains, items_of, pages_of
from monday.queries import IDS_PER_ROOT, board_queries, changed_since, oldest_first
from monday.responses import Aliases, Board, Me
from monday.transport import MOST_AT_ONCE, Listener, Transport, deaf
from reconcile.columns import ColumnMap
from reconcile.errors import Unavailable
from reconcile.items import RawItem

logger = logging.getLogger(__name__)

DAYS_BACK = 2  # the filter on the time of change knows days only, in the zone of the token's user (seen by clients)
OVERLAP = timedelta(minutes=5)  # for changes that became visible late
_FIRST_CHANGED = 100  # rows that ride along when asking what changed; mostly none or a few did
OPTIONAL = (
    Action.FATAL_BUG,
    Action.UNKNOWN,
    Action.FATAL_ACCESS,
    Action.FATAL_DRIFT,
    Action.VALUE_REFUSED,
    Action.HALVE_PAGE,
)
"""How a part may be refused that can be done without: then it is left out."""


class Reader:
    """Reads the mapped columns of the given boards; it sends no mutation."""

    def __init__(
        self,
        transport: Transport,
        boards: Mapping[str, int],
        mappings: Mapping[str, ColumnMap],
        *,
        width: int = MOST_AT_ONCE,
        on_event: Listener = deaf,
    ) -> None:
        self._transport = transport
        self._boards = dict(boards)
        self._mappings = {name: mappings[name] for name in boards}
        self._queries = {name: board_queries(name, board_id, mappings[name]) for name, board_id in boards.items()}
        self._by_ids = ByIds(transport, self._queries, on_event)
        self._width = width
        self._on_event = on_event

    def preflight(self) -> dict[str, BoardSchema]:
        """All boards with columns, groups and counts, in one request; in two where the server refuses the counts.

        Raises DriftError for a board that is absent.
        """
        variables: dict[str, Any] = {"boards": [str(board_id) for board_id in self._boards.values()]}
        numbered = {f"board{n}": str(board_id) for n, board_id in enumerate(self._boards.values())}
        count = len(self._boards)
        try:
            aliases = self._transport.execute(
                queries.preflight(count, counts=True), variables | numbered, settle=OPTIONAL
            ).data
        except Refusal as refusal:
            logger.info("no group counts code=%s request=%s", refusal.fault.code, refusal.fault.request_id)
            aliases = self._transport.execute(queries.preflight(count, counts=False), variables).data
        return schemas_of(
            self._boards,
            part(aliases, "boards", list[Board | None] | None),
            part(aliases, "me", Me | None),
            group_counts(aliases, list(self._boards)),
        )

    def daily_limit(self) -> int | None:
        """Calls a day of the account, or None where the plan or the token may not see it."""
        try:
            aliases = self._transport.execute(queries.DAILY_LIMIT, {}, settle=OPTIONAL).data
            found = msgspec.json.decode(aliases["platform_api"])
            total = found["daily_limit"]["total"]
        except (Refusal, KeyError, TypeError, msgspec.DecodeError):
            return None
        return total if isinstance(total, int) else None

    def full(self, schemas: dict[str, BoardSchema], known: Known) -> Read:
        """Every item of the boards, proved against monday's own counts; known items that did not come are asked for."""
        return Read(schemas, lambda outcome: self._full(schemas, known, outcome))

    def full_calls(self, schemas: Mapping[str, BoardSchema]) -> int:
        """Requests of a full read that goes well: its pages, and the second look at the counts."""
        width = min(self._width, self._transport.pace.at_once)
        pages = 1
        for schema in schemas.values():
            sizes = {group.id: group.items or 0 for group in schema.groups}
            for chain in group_chains(schema.groups, schema.items_count, width):
                items = sum(sizes[group_id] for group_id in chain) if chain else schema.items_count
                pages += max(1, -(-items // queries.LARGEST_PAGE))
        return pages

    def limited(self, schemas: dict[str, BoardSchema], limit: int) -> Read:
        """At most `limit` items of each board, the oldest; it proves nothing about the others."""
        return Read(schemas, lambda outcome: self._limited(schemas, limit, outcome))

    def changed(self, watermarks: Mapping[str, datetime], known: Known, extra_ids: Known) -> Read:
        """What changed since each board's watermark, and the items of `extra_ids` whether they did or not.

        The first request is sent at once, so `schemas` are those of now (without groups). Complete when known and
        changed items together are as many as monday counts; otherwise a full read is due.
        """
        extra = {name: sorted(set(extra_ids.get(name, ()))) for name in self._boards}
        aliases = self._first_changed(watermarks, extra)
        boards = [
            board for n in range(len(self._boards)) for board in part(aliases, f"b{n}", list[Board | None] | None) or ()
        ]
        schemas = schemas_of(self._boards, boards, part(aliases, "me", Me | None), {})
        firsts = {int(board.id): board for board in boards if board is not None}
        return Read(schemas, lambda outcome: self._changed(schemas, watermarks, known, extra, aliases, firsts, outcome))

    def items_by_id(self, board: str, ids: Collection[int]) -> Iterator[ById]:
        """The named items, 500 a request; ids that are no active item of this board come as gone."""
        return self._by_ids.read(board, ids)

    def _full(self, schemas: dict[str, BoardSchema], known: Known, outcome: dict[str, ReadResult]) -> Iterator[Page]:
        tallies = {name: Tally() for name in self._boards}
        sizes = {name: PageSize(self._on_event) for name in self._boards}
        width = min(self._width, self._transport.pace.at_once)
        chains = [
            Chain(self._queries[name], oldest_first(groups), sizes[name], schema.items_count)
            for name, schema in schemas.items()
            for groups in group_chains(schema.groups, schema.items_count, width)
        ]
        yield from self._counted(pages_of(self._transport, chains), tallies, schemas)
        counts = self._recheck(schemas)
        short = [name for name in schemas if len(tallies[name].seen) < counts[name]]
        if short:
            logger.warning("fewer items than counted boards=%s: reading them once more, in one chain", ",".join(short))
            again = [
                Chain(self._queries[name], oldest_first(), sizes[name], schemas[name].items_count) for name in short
            ]
            yield from self._counted(pages_of(self._transport, again), tallies, schemas)
            counts = self._recheck(schemas)
        for name in schemas:
            gone: dict[int, Gone] = {}
            missing = set(known.get(name, ())) - tallies[name].seen.keys()
            yield from self._asked_for(name, missing, tallies, schemas, gone)
            outcome[name] = full_outcome(name, counts[name], len(tallies[name].seen), gone)

    def _asked_for(
        self,
        board: str,
        ids: Collection[int],
        tallies: Mapping[str, Tally],
        schemas: Mapping[str, BoardSchema],
        gone: dict[int, Gone],
    ) -> Iterator[Page]:
        """Items by id as pages; `gone` takes up what became of the others."""
        for answer in self.items_by_id(board, ids):
            gone.update(answer.gone)
            if answer.alive:
                yield from self._counted(iter((Page(board, answer.alive),)), tallies, schemas)

    def _counted(
        self, pages: Iterator[Page], tallies: Mapping[str, Tally], schemas: Mapping[str, BoardSchema]
    ) -> Iterator[Page]:
        """The pages without what came before, each one announced."""
        for page in pages:
            tally = tallies[page.board]
            fresh = tally.new(page.items)
            of = schemas[page.board].items_count
            logger.info("page board=%s items=%d seen=%d of=%d", page.board, len(page.items), len(tally.seen), of)
            self._on_event("page", board=page.board, items=len(page.items), seen=len(tally.seen), of=of)
            if fresh:
                yield Page(page.board, fresh)

    def _recheck(self, before: Mapping[str, BoardSchema]) -> dict[str, int]:
        """Items per board, the smaller of before and now. Raises SchemaMoved when a mapped column changed."""
        variables = {"boards": [str(board_id) for board_id in self._boards.values()]}
        answer = self._transport.execute(queries.RECHECK, variables).data
        after = schemas_of(self._boards, answer.boards, None, {})
        for name, schema in after.items():
            ids = self._mappings[name]
            if schema.fingerprint(ids) != before[name].fingerprint(ids):
                raise SchemaMoved(
                    f"columns of the {name} board were changed while it was read: run it again once the board is quiet"
                )
        return {name: min(before[name].items_count, schema.items_count) for name, schema in after.items()}

    def _limited(self, schemas: dict[str, BoardSchema], limit: int, outcome: dict[str, ReadResult]) -> Iterator[Page]:
        tallies = {name: Tally() for name in self._boards}
        chains = [
            Chain(self._queries[name], oldest_first(), PageSize(self._on_event), schema.items_count, most=limit)
            for name, schema in schemas.items()
        ]
        yield from self._counted(pages_of(self._transport, chains), tallies, schemas)
        for name, schema in schemas.items():
            seen = len(tallies[name].seen)
            why = f"at most {limit} items of the {name} board were asked for"
            outcome[name] = ReadResult(name, "limited", False, schema.items_count, seen, {}, why)

    def _first_changed(self, watermarks: Mapping[str, datetime], extra: Mapping[str, Sequence[int]]) -> Aliases:
        with_extra = [bool(extra[name]) for name in self._boards]
        document = queries.changed(self._mappings, with_extra)
        variables: dict[str, Any] = {}
        for n, (name, board_id) in enumerate(self._boards.items()):
            variables[f"board{n}"] = [str(board_id)]
            variables[f"cols{n}"] = self._queries[name].column_ids
            variables[f"params{n}"] = _since(watermarks[name])
            if with_extra[n]:
                variables[f"extra{n}"] = [str(item_id) for item_id in extra[name][:IDS_PER_ROOT]]
        limit = _FIRST_CHANGED
        while True:
            settle = (Action.HALVE_PAGE,) if limit > 1 else ()
            try:
                return self._transport.execute(document, variables | {"limit": limit}, settle=settle).data
            except Refusal:
                limit //= 4

    def _changed(
        self,
        schemas: dict[str, BoardSchema],
        watermarks: Mapping[str, datetime],
        known: Known,
        extra: Mapping[str, Sequence[int]],
        aliases: Aliases,
        firsts: Mapping[int, Board],
        outcome: dict[str, ReadResult],
    ) -> Iterator[Page]:
        tallies = {name: Tally() for name in self._boards}
        gone: dict[str, dict[int, Gone]] = {name: {} for name in self._boards}
        chains: list[Chain] = []
        for n, (name, board_id) in enumerate(self._boards.items()):
            first = firsts[board_id].items_page
            if first is None:
                raise Unavailable(f"monday.com left out the changes of the {name} board: run it again later")
            enough = back_to(watermarks[name] - OVERLAP)
            items = items_of(name, first.items)
            yield from self._counted(iter((Page(name, items),)), tallies, schemas)
            if first.cursor is not None and not enough(items):
                chains.append(self._rest_of(name, watermarks[name], schemas[name], first.cursor, enough))
            yield from self._extras(name, extra[name], aliases.get(f"x{n}"), tallies, schemas, gone[name])
        if chains:
            yield from self._counted(pages_of(self._transport, chains), tallies, schemas)
        for name, schema in schemas.items():
            active = (set(known.get(name, ())) | tallies[name].seen.keys()) - gone[name].keys()
            outcome[name] = changed_outcome(schema, len(active), len(tallies[name].seen), gone[name])

    def _rest_of(
        self,
        name: str,
        watermark: datetime,
        schema: BoardSchema,
        cursor: str,
        enough: Callable[[Sequence[RawItem]], bool],
    ) -> Chain:
        size = PageSize(self._on_event)
        return Chain(self._queries[name], _since(watermark), size, schema.items_count, cursor, enough=enough)

    def _extras(
        self,
        board: str,
        ids: Sequence[int],
        came_along: msgspec.Raw | None,
        tallies: Mapping[str, Tally],
        schemas: Mapping[str, BoardSchema],
        gone: dict[int, Gone],
    ) -> Iterator[Page]:
        """The items of `extra_ids`: the first hundred came with the first request, the rest is asked for."""
        if came_along is None:
            return
        found = msgspec.json.decode(came_along, type=list[msgspec.Raw] | None) or []
        answer = sorted_out(board, self._boards[board], ids[:IDS_PER_ROOT], found)
        gone.update(answer.gone)
        yield from self._counted(iter((Page(board, answer.alive),)), tallies, schemas)
        yield from self._asked_for(board, ids[IDS_PER_ROOT:], tallies, schemas, gone)


def _since(watermark: datetime) -> dict[str, Any]:
    return changed_since((watermark.astimezone(UTC) - timedelta(days=DAYS_BACK)).date())
