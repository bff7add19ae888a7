"""What each open thing is called, how a person names it, and the command or statement that settles it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from models import REFERENCES
from monday_api import BOARDS
from postgres.by_hand import forget_letter, look_at_row, look_at_shared
from postgres.window_items import Items
from postgres.window_open import Kind, OpenThing
from run.edited import waiting_text
from status import ids
from status.window import Words

PULL: Final = "sync_monday_to_pg.py"
PUSH: Final = "sync_pg_to_monday.py"

NAMES: Final[Mapping[Kind, tuple[str, str]]] = {
    "conflict": ("conflict", "conflicts"),
    "cell": ("value that PostgreSQL cannot store", "values that PostgreSQL cannot store"),
    "value": ("value that cannot be read", "values that cannot be read"),
    "op": ("value that monday refused", "values that monday refused"),
    "row": ("row that PostgreSQL refused", "rows that PostgreSQL refused"),
    "claim": ("row with nobody's item id", "rows with nobody's item id"),
    "would-merge": ("pair that may be one", "pairs that may be one"),
    "fanned": ("row that too many items show", "rows that too many items show"),
    "deleted": ("deleted row", "deleted rows"),
    "doubt": ("item whose outcome is in doubt", "items whose outcome is in doubt"),
}
"""Kind → what one of it is called, and several."""

_ID: Final[Mapping[Kind, Callable[..., str]]] = {
    "conflict": ids.conflict_id,
    "value": ids.value_id,
    "deleted": ids.deleted_id,
    "doubt": ids.doubt_id,
    "fanned": ids.waiting_id,
}


@dataclass(frozen=True, slots=True)
class Told:
    """An open thing in words: `place` is a field, a column or a row, `settle` what a person types."""

    id: str
    thing: OpenThing
    kind: str
    item: str
    place: str
    says: str
    settle: str

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.place


def id_of(thing: OpenThing) -> str:
    """The ID of a thing; see `status.ids`."""
    if thing.kind == "would-merge" and len(thing.key) == 2:  # of sync_told
        return ids.waiting_id(*thing.key)
    return _ID.get(thing.kind, ids.letter_id)(*thing.key)


def tell(thing: OpenThing, items: Items, names: Mapping[str, str], words: Words) -> Told:
    """`names` are those of rows that foreign keys point at; `words` makes the commands."""
    return Told(
        id_of(thing),
        thing,
        NAMES[thing.kind][0],
        items.shown(thing.board_id, thing.item_id),
        _place(thing, items),
        _says(thing, names),
        _settled_by(thing, words),
    )


def _place(thing: OpenThing, items: Items) -> str:
    """`table.column` of a field, title and field of a column of the board, or the row."""
    if thing.kind == "conflict":
        return field_shown(thing.place, thing.table or "")
    column = BOARDS.get(items.board(thing.board_id) or "", {}).get(thing.place)
    if column is not None:
        return f'"{column.title}" ({thing.place}' + (f", {column.target})" if column.target else ")")
    return thing.place


def field_shown(field: str, table: str) -> str:
    """A field as people know it.

    >>> field_shown("users.email/master:Estimator", "users"), field_shown("customer_id", "projects")
    ('users.email (Estimator)', 'projects.customer_id')
    """
    name, _, place = field.partition("/")
    person = place.partition(":")[2] if table == "users" else ""
    return (name if "." in name else f"{table}.{name}") + (f" ({person})" if person else "")


def column_of(field: str, table: str) -> str:
    """`table.column` of a field.

    >>> column_of("users.email/master:Estimator", "users"), column_of("customer_id", "projects")
    ('users.email', 'projects.customer_id')
    """
    name = field.partition("/")[0]
    return name if "." in name else f"{table}.{name}"


def _says(thing: OpenThing, names: Mapping[str, str]) -> str:
    if thing.values is None:
        return thing.reason
    monday, postgres, agreed = (value_shown(value, thing.place, names) for value in thing.values)
    detail: dict[str, Any] = {"monday": monday, "postgres": postgres, "agreed": agreed}
    return waiting_text(detail | {"ever_agreed": thing.ever_agreed})


def value_shown(value: str | None, field: str, names: Mapping[str, str]) -> str | None:
    """A value of the log as a person reads it: of a field of several parts the whole, of a foreign key the row's
    name."""
    if value is not None and field.partition("/")[0].rpartition(".")[2] in REFERENCES:
        return names.get(value, value)
    return whole(value)


def whole(value: str | None) -> str | None:
    """Of a field that holds its parts too, the whole.

    >>> whole('["9 New St, Denver", "9 New St", "Denver"]'), whole('[null, "Ann", "Lee"]'), whole("[sic")
    ('9 New St, Denver', 'Ann Lee', '[sic')
    """
    if value is None or not value.startswith("["):
        return value
    try:
        parts = json.loads(value)
    except ValueError:
        return value
    if not all(isinstance(part, str | None) for part in parts):
        return value
    return (parts[0] if parts else None) or " ".join(part for part in parts[1:] if part) or None


def _settled_by(thing: OpenThing, words: Words) -> str:
    """What a person types. Where only a value has to be corrected, where that is done."""
    if thing.kind == "conflict":
        return f"{words.run(PULL, '--on-conflict monday')}, or {words.run(PUSH, '--on-conflict pg')}"
    if thing.kind == "cell":
        return f"correct the cell on monday, then {words.run(PULL)}"
    if thing.kind == "op":
        return f"correct the value in PostgreSQL, then {words.run(PUSH)}; the same value again: --retry-dead"
    if thing.kind == "deleted":
        return f"{words.run(PUSH, '--propagate-deletes --test')} shows which items would be archived"
    if thing.kind == "doubt":
        return words.run(PUSH)
    if thing.kind == "fanned":
        return words.run(PUSH, "--allow-fanout --test")
    if thing.kind == "would-merge" and len(thing.key) == 4:
        return forget_letter(*thing.key) + " if they are not one"
    if thing.table and thing.row:
        return look_at_row(thing.table, thing.row)
    return look_at_shared(*thing.key) if len(thing.key) == 4 else words.run(PULL)
