"""What the way from PostgreSQL to monday.com reads there: items about to be written, and what became of writes.

It sends two mutations, which create the column that holds our marker and say whose board it is.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from monday import queries
from monday.activity import LoggedWrite, logged_writes
from monday.boards import BoardSchema, schemas_of
from monday.completeness import ById, Gone, back_to, instant
from monday.errors import Action, ApiFault, Doubtful, Refusal, gravest, sentence
from monday.items_by_id import ByIds, items_at, part, portions, sorted_out
from monday.labels import Labels, by_text, spelled
from monday.logs import LogPages
from monday.pagination import Chain, PageSize, items_of, walk
from monday.queries import IDS_PER_ROOT, MOST_ROOTS, board_queries, created_queries
from monday.reading import OPTIONAL
from monday.responses import Aliases, ApiVersion, Board, Document, Me, PageAnswer
from monday.transport import Listener, Transport, deaf
from reconcile.columns import STATUS, TEXT, ColumnMap
from reconcile.errors import DriftError
from reconcile.foretold import BoardRules, read_rules
from reconcile.items import RawItem, Ref, decode_item
from reconcile.types import ItemKey

__all__ = ["Candidate", "CurrentBoards", "CurrentReader", "ItemKey", "Labels", "LoggedWrite"]

logger = logging.getLogger(__name__)

_VALUES_AT_ONCE = 100  # texts in one filter: no limit is documented
_MOST_ITEMS = 100_000  # of a board (monday docs): what an endless walk is told by
_NO_RULES = {Action.FATAL_ACCESS, Action.FATAL_BUG, Action.UNKNOWN, Action.RETRY}
"""How the rules are refused to who may not edit the columns' settings, to a lesser plan, and by an old version."""
_NO_LOG = {*OPTIONAL, Action.ITEM_GONE} - {Action.HALVE_PAGE}  # which would settle every failure of a read

CREATE_COLUMN: Document[Aliases] = Document(
    "CreateColumn",
    "mutation CreateColumn($board: ID!, $id: String!, $title: String!, $description: String) "
    "{ create_column(board_id: $board, id: $id, title: $title, description: $description, column_type: text) { id } }",
    Aliases,
)
DESCRIBE_COLUMN: Document[Aliases] = Document(
    "DescribeColumn",
    "mutation DescribeColumn($board: ID!, $id: String!, $text: String!) "
    "{ change_column_metadata(board_id: $board, column_id: $id, column_property: description, value: $text) { id } }",
    Aliases,
)


@dataclass(frozen=True, slots=True)
class CurrentBoards:
    """What the boards show of the items that were asked for."""

    schemas: dict[str, BoardSchema]
    """With groups, in the order of the board, without their counts."""
    labels: dict[str, dict[str, Labels]]
    """Board → id of each mapped status column → its labels."""
    spelled: dict[str, dict[str, dict[int, str]]]
    """The same labels the other way round: label id → text as the board spells it."""
    items: dict[ItemKey, RawItem]
    """Active items of their board, with all mapped columns and what a write must keep of each cell."""
    gone: dict[ItemKey, Gone]
    """Every other id that was asked for."""
    user_id: str | None
    """Who our writes are logged under."""
    marked: dict[str, str] = field(default_factory=dict)
    """Board → description of its marker column; without the boards that have none."""
    rules: dict[str, BoardRules] = field(default_factory=dict)
    """Board → what it asks of its items, where that was asked for."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that may be one of ours, of whose creation no answer came."""

    id: int
    name: str
    created_at: datetime
    creator_id: str


class _Created(msgspec.Struct):
    id: str
    name: str
    created_at: str | None = None
    creator_id: str | None = None
    state: str | None = None


class _Validations(msgspec.Struct):
    required_column_ids: Any = None
    rules: Any = None


_created = msgspec.json.Decoder(_Created)


class CurrentReader:
    """Looks at the given boards."""

    def __init__(
        self,
        transport: Transport,
        boards: Mapping[str, int],
        mappings: Mapping[str, ColumnMap],
        *,
        marker: str = "",
        on_event: Listener = deaf,
    ) -> None:
        self._transport = transport
        self._boards = dict(boards)
        self._mappings = {name: mappings[name] for name in boards}
        self._queries = {name: board_queries(name, board_id, mappings[name]) for name, board_id in boards.items()}
        self._marker = marker
        self._numbers = {name: n for n, name in enumerate(boards)}
        self._by_ids = ByIds(transport, self._queries, on_event)
        self._size = PageSize(on_event)
        self._logs = LogPages(transport, _NO_LOG)
        self._on_event = on_event

    def look(self, ids: Mapping[str, Collection[int]], *, rules: bool = False) -> CurrentBoards:
        """The boards as they are now and the named items of each, 500 a request; the boards come with the first, and so
        do their rules if they are wanted. A user who may not read those costs one more request.

        Raises DriftError for a board that is absent or archived.
        """
        boards = sorted(ids, key=self._numbers.__getitem__)
        wanted = [(board, item_id) for board in boards for item_id in sorted(set(ids[board]))]
        ask = self._look_with_rules if rules else self._look
        answers = portions(",".join(self._boards), wanted, self._size, ask)
        asked, answer = next(answers)
        shown = self._shown(answer)
        if rules:
            shown.rules.update(self._rules(answer, shown.schemas))
        self._sort_into(shown, asked, answer)
        for asked, answer in answers:
            self._sort_into(shown, asked, answer)
        logger.info("look asked=%d items=%d gone=%d", len(wanted), len(shown.items), len(shown.gone))
        return shown

    def items(self, board: str, ids: Collection[int]) -> Iterator[ById]:
        """The named items as a sync reads them, 500 a request, and what became of those that are not there."""
        return self._by_ids.read(board, ids)

    def by_marker(self, board: str, column_id: str, values: Collection[str]) -> dict[str, list[RawItem]]:
        """The items that hold exactly one of these texts, for every text, with who created them and when."""
        found: dict[str, list[RawItem]] = {value: [] for value in sorted(set(values))}
        for texts in _chunks(list(found), _VALUES_AT_ONCE * MOST_ROOTS):
            for item in self._holding(board, column_id, texts):
                text = _text_of(item, column_id)
                if text in found and all(item.id != other.id for other in found[text]):
                    found[text].append(item)
        return found

    def made_since(self, board: str, user_id: str, since: datetime) -> list[Candidate]:
        """The active items that this user created since then, the oldest first."""
        since = since.astimezone(UTC).replace(microsecond=0)  # monday tells whole seconds
        made = created_queries(board, self._boards[board])
        enough = back_to(since, _created_at)
        chain = Chain(made, queries.newest_first(), PageSize(self._on_event), _MOST_ITEMS, enough=enough)
        came = {item.id: item for item in self._walk(board, chain)}
        found = [made for made in map(_candidate, came.values()) if made is not None]
        ours = [made for made in found if made.creator_id == user_id and made.created_at >= since]
        return sorted(ours, key=lambda made: (made.created_at, made.id))

    def writes(
        self, board: str, item_ids: Collection[int], since: datetime, user_id: str | None = None
    ) -> list[LoggedWrite]:
        """Changes of these items' cells since then, the oldest first, by that user or by all.

        Each of ours holds what was in the cell before: another value than ours means that a person's edit was
        overwritten. Raises SyncError where the log cannot be read.
        """
        wanted = sorted(set(item_ids))
        found: list[LoggedWrite] = []
        try:
            if len(wanted) > IDS_PER_ROOT and user_id is not None:  # fewer pages hold all that he wrote since then
                found, wanted = self._all_logged(board, wanted, user_id, since)
            for asked in _chunks(wanted, IDS_PER_ROOT):
                found += self._logged(board, asked, user_id, since)
        except Refusal as refusal:
            fault = refusal.fault
            logger.warning("no activity log board=%s code=%s request=%s", board, fault.code, fault.request_id)
            raise sentence(fault, datetime.now(UTC)) from None
        return sorted(found, key=lambda write: (write.at, write.item_id, write.column_id))

    def create_marker(self, board: str, column_id: str, title: str, description: str = "") -> bool:
        """Create the text column unless the board has it; whether it was created.

        Raises DriftError when the board has a column of that id that cannot hold our marker.
        """
        if self._has_marker(board, column_id):
            return False
        variables = {"board": str(self._boards[board]), "id": column_id, "title": title, "description": description}
        try:
            answer = self._transport.execute(CREATE_COLUMN, variables, idempotency_key=uuid.uuid4().hex)
        except Doubtful as doubtful:
            if self._has_marker(board, column_id):
                return True
            raise doubtful.error from None
        if answer.faults:
            raise sentence(gravest(list(answer.faults)), datetime.now(UTC))
        created: Ref | None = part(answer.data, "create_column", Ref | None)
        if created is None or created.id != column_id:
            raise DriftError(f"monday.com created a column on the {board} board, but not as {column_id}: remove it")
        logger.info("column created board=%s column=%s", board, column_id)
        return True

    def describe(self, board: str, column_id: str, text: str) -> ApiFault | None:
        """Set a column's description; why not, where monday refuses. After a lost answer it may be done again."""
        variables = {"board": str(self._boards[board]), "id": column_id, "text": text}
        try:
            answer = self._transport.execute(DESCRIBE_COLUMN, variables, idempotency_key=uuid.uuid4().hex)
        except Doubtful as doubtful:
            logger.warning("column not described board=%s column=%s reason=%s", board, column_id, doubtful.error)
            return None
        logger.info("column described board=%s column=%s refused=%d", board, column_id, len(answer.faults))
        return gravest(list(answer.faults)) if answer.faults else None

    def _look_with_rules(self, start: int, asked: Sequence[ItemKey], settle: Collection[Action]) -> Aliases:
        if start == 0:
            try:
                return self._look(start, asked, {*settle, *_NO_RULES}, rules=True)
            except Refusal as refusal:
                if refusal.action in settle:
                    raise
                fault = refusal.fault
                about_rules = bool(fault.path) and str(fault.path[0]).startswith("v")
                if refusal.action is Action.RETRY and not about_rules:
                    raise sentence(fault, datetime.now(UTC), fault.rule.attempts) from None
                logger.info("no rules code=%s request=%s", refusal.fault.code, refusal.fault.request_id)
        return self._look(start, asked, settle)

    def _rules(self, answer: Aliases, schemas: Mapping[str, BoardSchema]) -> Iterator[tuple[str, BoardRules]]:
        for name, n in self._numbers.items():
            told: _Validations | None = part(answer, f"v{n}", _Validations | None) if f"v{n}" in answer else None
            if f"v{n}" not in answer:
                yield name, BoardRules(told=False)
            elif told is not None:
                types = {column_id: column.type for column_id, column in schemas[name].columns.items()}
                yield name, read_rules(told.required_column_ids, told.rules, types)

    def _look(
        self, start: int, asked: Sequence[ItemKey], settle: Collection[Action], *, rules: bool = False
    ) -> Aliases:
        parts = _parts(asked)
        document = queries.look(
            list(self._mappings.values()), [self._numbers[board] for board, _ in parts], boards=start == 0, rules=rules
        )
        variables: dict[str, Any] = {f"ids{n}": [str(item_id) for item_id in ids] for n, (_, ids) in enumerate(parts)}
        for board, _ in parts:
            variables[f"cols{self._numbers[board]}"] = self._queries[board].column_ids
        if start == 0:
            variables["boards"] = [str(board_id) for board_id in self._boards.values()]
            variables["marker"] = [self._marker]
        if rules:
            variables |= {f"board{n}": str(self._boards[board]) for board, n in self._numbers.items()}
        return self._transport.execute(document, variables, settle=settle).data

    def _shown(self, answer: Aliases) -> CurrentBoards:
        """The boards of the first answer, and no item yet."""
        live: list[Board | None] = part(answer, "boards", list[Board | None] | None) or []
        me: Me | None = part(answer, "me", Me | None)
        version: ApiVersion = part(answer, "version", ApiVersion)
        self._transport.hear_version(version.value)
        schemas = schemas_of(self._boards, live, me, {})
        settings = {
            (int(board.id), choices.id): choices.settings
            for board in live
            if board is not None
            for choices in board.choices or ()
            if choices is not None
        }
        texts = {
            name: {column_id: spelled(settings.get((board_id, column_id))) for column_id in self._status_columns(name)}
            for name, board_id in self._boards.items()
        }
        labels: dict[str, dict[str, Labels]] = {
            name: {column_id: by_text(found) for column_id, found in columns.items()} for name, columns in texts.items()
        }
        names = {board_id: name for name, board_id in self._boards.items()}
        marked = {
            names[int(board.id)]: column.description or ""
            for board in live
            if board is not None
            for column in board.marked or ()
            if column is not None
        }
        return CurrentBoards(schemas, labels, texts, {}, {}, me.id if me else None, marked)

    def _status_columns(self, board: str) -> list[str]:
        columns = self._mappings[board].items()
        return [column_id for column_id, column in columns if column.codec.monday_type == STATUS.monday_type]

    def _sort_into(self, shown: CurrentBoards, asked: Sequence[ItemKey], answer: Aliases) -> None:
        for n, (board, ids) in enumerate(_parts(asked)):
            found = sorted_out(board, self._boards[board], ids, items_at(answer, n))
            shown.items.update({(board, item.id): item for item in found.alive})
            shown.gone.update({(board, item_id): gone for item_id, gone in found.gone.items()})

    def _holding(self, board: str, column_id: str, texts: Sequence[str]) -> Iterator[RawItem]:
        """One request, and further pages where more items hold them than there are texts."""
        board_id, roots = self._boards[board], _chunks(list(texts), _VALUES_AT_ONCE)
        variables: dict[str, Any] = {"board": str(board_id), "limit": _VALUES_AT_ONCE, "cols": [column_id]}
        for n, some in enumerate(roots):
            variables[f"columns{n}"] = [{"column_id": column_id, "column_values": some}]
        answer = self._transport.execute(queries.by_values(len(roots)), variables).data
        for n, some in enumerate(roots):
            page: PageAnswer = part(answer, f"v{n}", PageAnswer)
            yield from items_of(board, page.items)
            if page.cursor is not None:
                params, size = queries.any_of(column_id, some), PageSize(self._on_event)
                made = created_queries(board, board_id, (column_id,))
                yield from self._walk(board, Chain(made, params, size, _MOST_ITEMS, page.cursor))

    def _walk(self, board: str, chain: Chain) -> Iterator[RawItem]:
        for page in walk(self._transport, chain, threading.Event()):
            yield from items_of(board, page)

    def _all_logged(
        self, board: str, wanted: Sequence[int], user_id: str, since: datetime
    ) -> tuple[list[LoggedWrite], list[int]]:
        """What the user wrote to any item, as far as it concerns these; and the items that it does not tell of."""
        items = set(wanted)
        found = [write for write in self._logged(board, (), user_id, since) if write.item_id in items]
        reached = {write.item_id for write in found}
        return found, [item_id for item_id in wanted if item_id not in reached]

    def _logged(self, board: str, asked: Sequence[int], user_id: str | None, since: datetime) -> Iterator[LoggedWrite]:
        """Of these items, or of all when none is named; of one user or of all. Raises Refusal where the token may not
        read the log."""
        items = set(asked)
        wanted = {
            "items": [str(item_id) for item_id in asked] or None,
            "users": [user_id] if user_id is not None else None,
            "from": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        for entries in self._logs.read(self._boards[board], wanted):
            asked_for = (entry for entry in entries if entry is not None and user_id in (entry.user_id, None))
            writes = (write for entry in asked_for for write in logged_writes(entry))
            yield from (write for write in writes if not items or write.item_id in items)

    def _has_marker(self, board: str, column_id: str) -> bool:
        board_id = self._boards[board]
        answer = self._transport.execute(queries.RECHECK, {"boards": [str(board_id)]}).data
        column = schemas_of({board: board_id}, answer.boards, None, {})[board].columns.get(column_id)
        if column is None:
            return False
        if column.archived or column.type != TEXT.monday_type:
            state = "archived" if column.archived else f"of type {column.type}"
            raise DriftError(
                f"the {board} board has a column {column_id} that is {state}: our marker needs an active text column"
            )
        return True


def _parts(asked: Sequence[ItemKey]) -> list[tuple[str, list[int]]]:
    """One root each: ids of one board, 100 at most. The keys of a board stand together."""
    by_board: dict[str, list[int]] = {}
    for board, item_id in asked:
        by_board.setdefault(board, []).append(item_id)
    return [(board, chunk) for board, ids in by_board.items() for chunk in _chunks(ids, IDS_PER_ROOT)]


def _chunks(values: list[Any], size: int) -> list[list[Any]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _text_of(item: RawItem, column_id: str) -> str | None:
    cells = {cell.id: cell.text for cell in decode_item(item.raw).column_values}
    text = cells.get(column_id)
    return text if isinstance(text, str) else None


def _created_at(item: RawItem) -> datetime:
    """Now for one that does not tell: it stops no walk."""
    told = _created.decode(item.raw).created_at
    return instant(told) if told else datetime.now(UTC)


def _candidate(item: RawItem) -> Candidate | None:
    """None for an item that is archived, or does not tell who created it and when."""
    made = _created.decode(item.raw)
    if not made.created_at or not made.creator_id or made.state not in ("active", None):
        return None
    return Candidate(int(made.id), made.name, instant(made.created_at), made.creator_id)
