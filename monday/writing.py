"""Writing to the boards: many items in one request, and what became of each of them.

A batch is made once, kept in the journal, and then sent as often as it takes: the same bytes under the same
Idempotency-Key, so that monday carries it out once. Requests below are aliased mutations, which monday runs one after
the other and settles one by one: a refused one leaves the others alone, and nothing is rolled back.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import msgspec

from monday.errors import UNREAD, Action, ApiFault, Doubtful, Ran, Refusal, gravest, sentence
from monday.queries import asked_columns, row_fragment
from monday.responses import Aliases, Document
from monday.transport import Answer, Listener, Transport, deaf
from reconcile.columns import ColumnMap
from reconcile.items import RawItem, raw_item

__all__ = [
    "Answered",
    "ArchiveItem",
    "Batch",
    "BatchSize",
    "ChangeItem",
    "CreateItem",
    "Doubtful",
    "Kind",
    "Op",
    "Result",
]
__all__ += ["TooLarge", "Writer"]

logger = logging.getLogger(__name__)

Kind = Literal["change", "create", "archive"]

AIM_S = 15.0  # a request; monday cuts it at 60 s (monday docs)
MOST_POINTS = 5_000_000  # a request (monday docs)

_SHORT = "{ id updated_at }"  # small, so that monday can keep it for a replay: it keeps none over 1 MB (monday docs)


class ChangeItem(msgspec.Struct, frozen=True):
    """All changed cells of one item: column id, or `name`, → value in the form that `column_values` takes; None clears.

    `create_labels` lets monday add a label that the column does not have yet.
    """

    item_id: int
    values: dict[str, Any]
    create_labels: bool = False


class CreateItem(msgspec.Struct, frozen=True):
    """A new item in the board's first group."""

    name: str
    values: dict[str, Any]
    create_labels: bool = False


class ArchiveItem(msgspec.Struct, frozen=True):
    """An item to be archived; to do it again is harmless."""

    item_id: int


Op = ChangeItem | CreateItem | ArchiveItem


class Batch(msgspec.Struct, frozen=True):
    """One request, complete: what the journal keeps so that exactly these bytes can be sent again after a crash."""

    board: str
    kind: Kind
    size: int
    """Number of ops, aliased `a0`, `a1`, …"""
    key: str
    """The Idempotency-Key: 64 hex digits of salt, board id and body."""
    body: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one op: exactly one of the two is set.

    `item` is what monday shows after the write; of a create or archive only id and time of change. `fault` with the
    code UNREAD: written or not, only reading the item tells; with any other code: not written.
    """

    item: RawItem | None = None
    fault: ApiFault | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The results in the order of the ops. A replayed answer says nothing about how long the batch takes."""

    results: list[Result]
    took_s: float
    points: int | None
    replayed: bool


class TooLarge(Exception):
    """Nothing ran: send fewer ops at once. `error` is what to end with when there is but one."""

    def __init__(self, fault: ApiFault) -> None:
        self.error = sentence(fault, datetime.now(UTC))
        super().__init__(str(self.error))


class Writer:
    """Makes and sends batches. One writer a board at a time: monday locks a board that is being written."""

    def __init__(
        self,
        transport: Transport,
        boards: Mapping[str, int],
        mappings: Mapping[str, ColumnMap],
        *,
        on_event: Listener = deaf,
    ) -> None:
        self._transport = transport
        self._boards = dict(boards)
        self._rows = {name: row_fragment("Row", mappings[name]) for name in boards}
        self._column_ids = {name: asked_columns(mappings[name]) for name in boards}
        self._on_event = on_event

    def batch(self, board: str, ops: Sequence[Op], *, salt: str) -> Batch:
        """One request for all ops, at least one, all of one kind. The same salt and ops give the same key: within 30
        minutes monday then repeats its answer and runs nothing.
        """
        kind = _kind(ops)
        variables: dict[str, Any] = {"board": str(self._boards[board])} if kind != "archive" else {}
        if kind == "change":
            variables["cols"] = self._column_ids[board]
        for n, op in enumerate(ops):
            variables |= {f"{name}{n}": value for name, value in _arguments(op).items()}
        text = _document(kind, len(ops), self._rows[board] if kind == "change" else "")
        body = msgspec.json.encode({"query": text, "variables": variables})
        key = hashlib.sha256(msgspec.json.encode((salt, self._boards[board], body.decode()))).hexdigest()
        return Batch(board, kind, len(ops), key, body.decode())

    def send(self, batch: Batch, *, gate: Callable[[], object]) -> Answered:
        """Send until it is answered. `gate` is asked before every try and raises SyncError when none may be made.

        Raises Doubtful when no answer can be had and the batch may have run, in part or whole. TooLarge and SyncError
        promise that nothing of it ran, in this call at least.
        """
        document: Document[Aliases] = Document(batch.kind.capitalize(), json.loads(batch.body)["query"], Aliases)
        try:
            answer = self._transport.send(
                document,
                batch.body.encode(),
                settle=(Action.HALVE_PAGE,),
                idempotency_key=batch.key,
                gate=gate,
            )
        except Refusal as refusal:
            logger.warning("batch too large board=%s kind=%s ops=%d", batch.board, batch.kind, batch.size)
            raise TooLarge(refusal.fault) from refusal
        except Doubtful:
            logger.warning("batch in doubt board=%s kind=%s ops=%d", batch.board, batch.kind, batch.size)
            raise
        points = answer.price.query if answer.price is not None else None
        answered = Answered(_results(batch.size, answer), answer.took_s, points, answer.replayed)
        self._tell(batch, answered)
        return answered

    def _tell(self, batch: Batch, answered: Answered) -> None:
        facts = {
            "board": batch.board,
            "kind": batch.kind,
            "ops": batch.size,
            "failed": sum(result.fault is not None for result in answered.results),
            "took_s": round(answered.took_s, 3),
            "points": answered.points,
            "replayed": answered.replayed,
        }
        logger.info("batch %s", " ".join(f"{name}={value}" for name, value in facts.items()))
        self._on_event("batch", **facts)


def _kind(ops: Sequence[Op]) -> Kind:
    kinds = {type(op) for op in ops}
    if len(kinds) != 1:
        raise ValueError("a batch takes one op or more, all of one kind")
    kind: dict[type[Op], Kind] = {ChangeItem: "change", CreateItem: "create", ArchiveItem: "archive"}
    return kind[kinds.pop()]


def _arguments(op: Op) -> dict[str, Any]:
    """The variables of one op; its alias's number is added to their names."""
    match op:
        case ArchiveItem(item_id):
            return {"item": str(item_id)}
        case ChangeItem(item_id, values, create_labels):
            target = {"item": str(item_id)}
        case CreateItem(name, values, create_labels):
            target = {"name": name}
    # A JSON argument is JSON text in a string (monday docs).
    return {**target, "values": msgspec.json.encode(values).decode(), "labels": create_labels}


_DECLARED = {"item": "ID!", "name": "String!", "values": "JSON!", "labels": "Boolean!"}
_FIELDS: dict[Kind, tuple[str, dict[str, str]]] = {
    "change": (
        "change_multiple_column_values",
        {"item_id": "item", "column_values": "values", "create_labels_if_missing": "labels"},
    ),
    "create": (
        "create_item",
        {"item_name": "name", "column_values": "values", "create_labels_if_missing": "labels"},
    ),
    "archive": ("archive_item", {"item_id": "item"}),
}
"""Root field, and its arguments → the variable of each op that fills them."""


@cache
def _document(kind: Kind, size: int, row: str) -> str:
    """The constant document of so many ops; `row` is the fragment of what is asked back, "" for the least."""
    field, arguments = _FIELDS[kind]
    common = {} if kind == "archive" else {"board": "ID!"}
    columns = {"cols": "[String!]"} if row else {}
    numbered = {f"{name}{n}": _DECLARED[name] for n in range(size) for name in arguments.values()}
    declared = ", ".join(f"${name}: {its_type}" for name, its_type in {**common, **columns, **numbered}.items())
    board = "board_id: $board, " if common else ""
    shown = "{ ...Row }" if row else _SHORT
    roots = " ".join(
        f"a{n}: {field}({board}{', '.join(f'{argument}: ${name}{n}' for argument, name in arguments.items())}) {shown}"
        for n in range(size)
    )
    price = "complexity { query after reset_in_x_seconds }"
    return f"mutation {kind.capitalize()}({declared}) {{ {price} {roots} }} {row}".rstrip()


def _results(size: int, answer: Answer[Aliases]) -> list[Result]:
    faults: dict[str, list[ApiFault]] = {}
    for fault in answer.faults:
        faults.setdefault(str(fault.path[0]), []).append(fault)
    aliases = [f"a{n}" for n in range(size)]
    unread = ApiFault(200, UNREAD, request_id=answer.request_id)
    return [_result(bytes(answer.data.get(alias, b"null")), faults.get(alias, []), unread) for alias in aliases]


def _result(raw: bytes, faults: list[ApiFault], unread: ApiFault) -> Result:
    """One alias's share of the answer. Written is only what came back whole, refused only what is refused for sure."""
    if raw == b"null":
        refused = faults and all(len(fault.path) == 1 and fault.rule.ran is not Ran.MAYBE for fault in faults)
        return Result(fault=gravest(faults)) if refused else Result(fault=_unread(faults, unread))
    if any(_is_unreadable(json.loads(raw), fault.path[1:]) for fault in faults):
        return Result(fault=_unread(faults, unread))
    try:
        return Result(raw_item(raw))
    except ValueError:
        return Result(fault=_unread(faults, unread))


def _unread(faults: list[ApiFault], unread: ApiFault) -> ApiFault:
    if not faults:
        return unread
    worst = gravest(faults)
    return replace(worst, code=UNREAD, was=worst.code)


def _is_unreadable(shown: Any, path: Sequence[str | int]) -> bool:
    """Whether the error at that path left a null there: it cannot be told from an empty cell."""
    for step in path:
        try:
            shown = shown[step]
        except (KeyError, IndexError, TypeError):
            return True
    return _holds_null(shown)


def _holds_null(shown: Any) -> bool:
    if isinstance(shown, dict):
        return any(map(_holds_null, shown.values()))
    if isinstance(shown, list):
        return any(map(_holds_null, shown))
    return shown is None


class BatchSize:
    """How many ops a request takes: so many that it takes about 15 s and at most half of the points of a request.

    It at most doubles in one step, shrinks at once, and stays below what was once too large.
    """

    def __init__(self, start: int, most: int) -> None:
        self._most = most
        self._affordable = most
        self._now = min(start, most)

    @property
    def now(self) -> int:
        return self._now

    def took(self, ops: int, seconds: float, points: int | None) -> None:
        """A request of so many ops was answered, and not from memory."""
        in_time = int(ops * AIM_S / max(seconds, 0.001))
        if points:
            self._affordable = ops * (MOST_POINTS // 2) // points
        if seconds > AIM_S:
            self._now = min(self._now, in_time)
        elif ops >= self._now:  # a smaller batch tells little of a full one
            self._now = min(in_time, 2 * self._now)
        self._now = max(1, min(self._now, self._most, self._affordable))

    def too_large(self, ops: int) -> None:
        """A request of so many ops was refused for its size."""
        self._most = max(1, min(self._most, ops // 2))
        self._now = min(self._now, self._most)
