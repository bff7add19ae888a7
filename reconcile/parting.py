"""What an older rule of keys has joined is parted, once: "B Mutual" and "B+ Mutual" had one row, and so had staff items
with one e-mail.

Worked out from what is remembered of every item. A row stays with the items whose text it held when they were last
compared; the others (`strangers`) are linked anew, as if they had no row yet, and what they wrote is taken back.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from models import TABLES, Row, RowId, User
from reconcile.database_state import DatabaseState
from reconcile.decide import same
from reconcile.keys import PLACEHOLDER_EMAILS, STREET_WORDS, bounded, email_key, policy_key
from reconcile.layout import STAFF_ROLE, Layout
from reconcile.tables import SPECS, row_keys
from reconcile.types import FORCE, ItemBase, PerField, Slot, SlotPlace
from reconcile.working_rows import WorkingRows

Keys = Mapping[str, Mapping[str, RowId]]
Rows = Mapping[str, Mapping[RowId, Row]]

_NOT_WORD = re.compile(r"[\W_]+")


_KEYED = {table: spec.key for table, spec in SPECS.items() if spec.key is not None}


@dataclass(slots=True)
class Parting:
    """What is parted."""

    keys: dict[str, dict[str, RowId]] = dataclasses.field(default_factory=lambda: {table: {} for table in TABLES})
    """All keys by the rule of today, by table: key → row."""
    strangers: set[SlotPlace] = dataclasses.field(default_factory=set)
    """Slots that are linked to a row which does not stand for them."""
    rows: dict[RowId, str] = dataclasses.field(default_factory=dict)
    """Those rows, with their table."""


@dataclass(slots=True)
class _Group:
    """Slots of one row that show one key."""

    places: list[SlotPlace] = dataclasses.field(default_factory=list)
    held: int = 0
    """How many slots the row had this key for when they were last compared."""


def part(items: Sequence[ItemBase], layouts: Mapping[str, Layout], keys: Keys, rows: Rows) -> Parting:
    """`items` are all active ones, `keys` those that were written down; `rows` what goes by a name or an address."""
    parting = Parting()
    for table in _KEYED:
        groups = _groups(table, items, layouts, keys.get(table, {}))
        for old, row in sorted(keys.get(table, {}).items()):
            now = _carried_over(table, old)
            if now is None:
                now = _settle(table, row, old, groups.get((row, old), {}), rows.get(table, {}), parting)
            if now:
                parting.keys[table].setdefault(now, row)
    _part_signs(items, layouts, keys, parting)
    _part_homes(items, layouts, rows, parting)
    return parting


def take_back(database: DatabaseState, layouts: Mapping[str, Layout], working: WorkingRows) -> None:
    """What a stranger wrote into a row gives way to what the slots show that the row stands for: it was not meant for
    them, and is not sent to them."""
    if not database.strangers:
        return
    staying: dict[RowId, list[tuple[ItemBase, Slot]]] = defaultdict(list)
    for item, base in sorted(database.bases.items()):
        for slot, row_id in zip(layouts[base.board].slots, base.links, strict=True):
            if row_id is not None and (item, slot) not in database.strangers:
                staying[row_id].append((base, slot))
    for item, slot in sorted(database.strangers):
        base = database.bases[item]
        row = working.row(slot.table, base.links[slot])
        if row is not None:
            _take_back(row, base, slot, staying[row.id])


def _take_back(row: Row, stranger: ItemBase, slot: Slot, staying: Sequence[tuple[ItemBase, Slot]]) -> None:
    """The fields of a row that hold what a stranger's slot showed get what the slots that stay show."""
    for field in slot.fields:
        written, postgres = stranger.monday[field], row[field]
        if written is UNSET or postgres is None or not same(field, written, postgres):
            continue
        shown = [
            monday
            for base, other in staying
            if (theirs := other.by_column.get(field.column)) is not None
            if (monday := base.monday[theirs]) is not UNSET
        ]
        if shown and not any(same(field, monday, written) for monday in shown):
            row[field] = shown[0]


# Keys -----------------------------------------------------------------------------------------------------------------


def _groups(
    table: str, items: Sequence[ItemBase], layouts: Mapping[str, Layout], owners: Mapping[str, RowId]
) -> dict[tuple[RowId, str], dict[str, _Group]]:
    """(row, its old key) → the slots that are linked to it, by the key that they have by the rule of today."""
    found: dict[tuple[RowId, str], dict[str, _Group]] = defaultdict(lambda: defaultdict(_Group))
    old_rule, rule = _OLD_RULES.get(table), _KEYED[table]
    for base, slot, parent in _slots(table, items, layouts) if old_rule else ():
        row, shown = base.links[slot], slot.key_values(base.monday)
        assert old_rule is not None
        old = old_rule(parent, *shown)
        if row is None or old is None or owners.get(old) != row:
            continue
        held = slot.key_values(PerField(None if value is FORCE else value for value in base.postgres))
        for key in rule.keys_of(parent, shown)[:1]:
            found[row, old][key].places.append((base.item, slot))
            for held_key in rule.keys_of(parent, held)[:1]:
                found[row, old][held_key].held += 1
    return found


def _slots(
    table: str, items: Sequence[ItemBase], layouts: Mapping[str, Layout]
) -> Iterator[tuple[ItemBase, Slot, RowId | None]]:
    """(item, slot, the row of its parent) of every slot that shows a row of the table."""
    rule = _KEYED[table]
    for base in items:
        layout = layouts[base.board]
        parent = layout.by_role.get(rule.parent[0]) if rule.parent is not None else None
        for slot in layout.slots:
            if slot.table == table:
                yield base, slot, base.links[parent] if parent is not None else None


def _settle(
    table: str, row: RowId, old: str, groups: Mapping[str, _Group], rows: Mapping[RowId, Row], parting: Parting
) -> str:
    """The key of today of a row with this old one: what it held when it was last compared with its slots, else what it
    holds, else what most of them show. The other slots are strangers."""
    content = next((key for key in row_keys(table, rows[row]) if _older(table, key) == old), "") if row in rows else ""
    shown = {key: group for key, group in groups.items() if group.places}
    if not shown:
        return content or old
    own = min(shown, key=lambda key: (-shown[key].held, key != content, -len(shown[key].places), shown[key].places))
    for key, group in shown.items():
        if key != own:
            parting.strangers.update(group.places)
            parting.rows[row] = table
    return own


def _part_signs(items: Sequence[ItemBase], layouts: Mapping[str, Layout], keys: Keys, parting: Parting) -> None:
    """A name of signs alone had no key: now its first row has it."""
    for table, old_rule in _OLD_RULES.items():
        unnamed = {row for key, row in keys.get(table, {}).items() if key.startswith("slot:")}
        for base, slot, parent in _slots(table, items, layouts) if unnamed else ():
            row, shown = base.links[slot], slot.key_values(base.monday)
            if row in unnamed and row is not None and old_rule(parent, *shown) is None:
                for key in _KEYED[table].keys_of(parent, shown)[:1]:
                    parting.keys[table].setdefault(key, row)


def _part_homes(items: Sequence[ItemBase], layouts: Mapping[str, Layout], rows: Rows, parting: Parting) -> None:
    """A row is home to one item of the staff board: the one whose id it holds, else the first."""
    homes: dict[RowId, list[ItemBase]] = defaultdict(list)
    for base in items:
        record = layouts[base.board].record
        row = base.links[record]
        if row and record.role == STAFF_ROLE and row in rows.get("users", {}):
            homes[row].append(base)
    for row, bases in homes.items():
        user = rows["users"][row]
        assert isinstance(user, User)
        _first, *others = sorted(bases, key=lambda base: (base.id != user.monday_item_id, base.item))
        if others:
            parting.strangers.update((base.item, layouts[base.board].record) for base in others)
            parting.rows[row] = "users"


# The older rule -------------------------------------------------------------------------------------------------------


def _carried_over(table: str, old: str) -> str | None:
    """An old key as it is made today, where that can be told from itself."""
    if old.startswith(("slot:", "item:", "long:")):
        return old
    if old.startswith("email:"):
        return email_key(old.removeprefix("email:")) or ""
    if table == "policies":
        insurance, _, number = old.partition("|")
        return policy_key(insurance, number) or ""
    return None


def _older(table: str, key: str) -> str | None:
    """The old key of a text that has this one today."""
    if table == "properties":
        customer, _, address = key.partition("|")
        return _old_address(customer, address)
    return _old_name(key.removeprefix("name:")) if key.startswith("name:") else None


def _old_fold(text: str) -> str:
    return " ".join(_NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).split())


def _old_name(name: Any) -> str | None:
    name = name[0] if isinstance(name, tuple) else name
    text = _old_fold(name) if name else ""
    return bounded(f"name:{text}") if text else None


def _old_address(customer: str | None, address: Any) -> str | None:
    address = address[0] if isinstance(address, tuple) else address
    words = [STREET_WORDS.get(word, word) for word in _old_fold(address).split()] if address else []
    text = " ".join(word for word in words if word)
    return bounded(f"{customer or '-'}|{text}") if text else None


def _has_email(*emails: Any) -> bool:
    return any(email and email.strip().casefold().partition("@")[0] not in PLACEHOLDER_EMAILS for email in emails)


_OLD_RULES: Mapping[str, Callable[..., str | None]] = {
    "insurances": lambda _parent, name: _old_name(name),
    "sales_teams": lambda _parent, name: _old_name(name),
    "pa_law": lambda _parent, email, name: None if _has_email(email) else _old_name(name),
    "users": lambda _parent, email, rm_email, name: None if _has_email(email, rm_email) else _old_name(name),
    "properties": _old_address,
}
"""Of what goes by its name or address: the one key that the older rule made."""
