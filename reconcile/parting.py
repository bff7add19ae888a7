"""What an older rule of keys has joined is parted, once: "B Mutual" and "B+ Mutual" had one row, and so had staff items
with one e-mail.

Worked out from what is remembered of every item. A row stays with the items whose text it held when they last met; the
others (`strangers`) are linked anew, as if they had no row yet. What one of those wrote into the row is taken back.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET

from models import Row, RowId
from reconcile.base import FORCE, ItemBase
from reconcile.database_state import DatabaseState, ItemKey
from reconcile.keys import PLACEHOLDER_EMAILS, STREET_WORDS, bounded, email_key, policy_key
from reconcile.layout import Layout, Slot
from reconcile.tables import ITEM_ID, SPECS, TABLES, row_keys
from reconcile.working_rows import WorkingRows

Keys = Mapping[str, Mapping[str, RowId]]
Rows = Mapping[str, Mapping[RowId, Row]]
SlotPlace = tuple[ItemKey, int]
"""A slot: its item, and its number there."""

_NOT_WORD = re.compile(r"[\W_]+")


_KEYED = {table: spec.key for table, spec in SPECS.items() if spec.key is not None}


@dataclass(slots=True)
class Parting:
    """`keys` are all keys by the rule of today, `strangers` the slots that their row does not stand for, `rows` those
    rows, with their table."""

    keys: dict[str, dict[str, RowId]] = field(default_factory=lambda: {table: {} for table in TABLES})
    strangers: set[SlotPlace] = field(default_factory=set)
    rows: dict[RowId, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    """Slots of one row that say one thing."""

    places: list[SlotPlace] = field(default_factory=list)
    met: int = 0


def part(items: Sequence[ItemBase], layouts: Mapping[str, Layout], keys: Keys, rows: Rows) -> Parting:
    """`items` are all active ones, `keys` those that were written down; `rows` what goes by a name or an address."""
    parting = Parting()
    for table in _KEYED:
        said = _said(table, items, layouts, keys.get(table, {}))
        for old, row in sorted(keys.get(table, {}).items()):
            now = _carried_over(table, old)
            if now is None:
                now = _settle(table, row, old, said.get((row, old), {}), rows.get(table, {}), parting)
            if now:
                parting.keys[table].setdefault(now, row)
    _part_signs(items, layouts, keys, parting)
    _part_homes(items, layouts, rows, parting)
    return parting


def take_back(database: DatabaseState, layouts: Mapping[str, Layout], working: WorkingRows) -> None:
    """What a stranger wrote into a row, and nobody says whose row it is, gives way to what those say: it was not meant
    for them, and is not sent to them."""
    if not database.strangers:
        return
    staying: dict[RowId, list[tuple[ItemBase, Slot]]] = defaultdict(list)
    for item, base in sorted(database.bases.items()):
        for number, slot in enumerate(layouts[base.board].slots):
            if (item, number) not in database.strangers and base.links[number] is not None:
                staying[base.links[number]].append((base, slot))  # type: ignore[index]  # it is a row
    for item, number in sorted(database.strangers):
        base, slot = database.bases[item], layouts[item[0]].slots[number]
        row = working.row(slot.table, base.links[number])
        if row is not None:
            _take_back(row, (base, slot), staying[row.id], layouts)


def _take_back(
    row: Row,
    stranger: tuple[ItemBase, Slot],
    staying: Sequence[tuple[ItemBase, Slot]],
    layouts: Mapping[str, Layout],
) -> None:
    base, slot = stranger
    for number in slot.fields:
        field = layouts[base.board].fields[number]
        canon, wrote = field.compare_key, base.monday[number]
        if wrote is UNSET or row[field] is None or canon(wrote) != canon(row[field]):
            continue
        theirs = [
            other.monday[place]
            for other, shown in staying
            for place in shown.fields
            if layouts[other.board].fields[place].columns[0] == field.columns[0] and other.monday[place] is not UNSET
        ]
        if theirs and all(canon(says) != canon(wrote) for says in theirs):
            row[field] = theirs[0]


# Keys -----------------------------------------------------------------------------------------------------------------


def _said(
    table: str, items: Sequence[ItemBase], layouts: Mapping[str, Layout], owners: Mapping[str, RowId]
) -> dict[tuple[RowId, str], dict[str, _Group]]:
    """(row, its old key) → what its slots say by the rule of today."""
    found: dict[tuple[RowId, str], dict[str, _Group]] = defaultdict(lambda: defaultdict(_Group))
    old_rule, rule = _OLD_RULES.get(table), _KEYED[table]
    for base, number, slot, parent in _slots(table, items, layouts) if old_rule else ():
        row, said = base.links[number], slot.key_said(base.monday)
        assert old_rule is not None
        old = old_rule(parent, *said)
        if row is None or old is None or owners.get(old) != row:
            continue
        now = rule.keys(parent, *said) if rule.parent else rule.keys(*said)
        held = slot.key_said([None if p is FORCE else p for p in base.postgres])
        for key in now[:1]:
            group = found[row, old][key]
            group.places.append(((base.board, base.id), number))
            for met in (rule.keys(parent, *held) if rule.parent else rule.keys(*held))[:1]:
                found[row, old][met].met += 1
    return found


def _slots(
    table: str, items: Sequence[ItemBase], layouts: Mapping[str, Layout]
) -> Iterator[tuple[ItemBase, int, Slot, RowId | None]]:
    parent_of = _KEYED[table].parent
    places = {
        board: [
            (number, slot, next((n for n, s in enumerate(layout.slots) if parent_of and s.role == parent_of[0]), None))
            for number, slot in enumerate(layout.slots)
            if slot.table == table
        ]
        for board, layout in layouts.items()
    }
    for base in items:
        for number, slot, parent in places[base.board]:
            yield base, number, slot, None if parent is None else base.links[parent]


def _settle(
    table: str, row: RowId, old: str, groups: Mapping[str, _Group], rows: Mapping[RowId, Row], parting: Parting
) -> str:
    """The key of today of a row with this old one: what it held when its slots last met it, else what it holds, else
    what most of them say. The other slots are strangers."""
    content = next((key for key in row_keys(table, rows[row]) if _older(table, key) == old), "") if row in rows else ""
    said = {key: group for key, group in groups.items() if group.places}
    if not said:
        return content or old
    own = min(said, key=lambda key: (-said[key].met, key != content, -len(said[key].places), said[key].places))
    for key, group in said.items():
        if key != own:
            parting.strangers.update(group.places)
            parting.rows[row] = table
    return own


def _part_signs(items: Sequence[ItemBase], layouts: Mapping[str, Layout], keys: Keys, parting: Parting) -> None:
    """A name of signs alone had no key: now its first row has it."""
    for table in _OLD_RULES:
        kept = {row for key, row in keys.get(table, {}).items() if key.startswith("slot:")}
        rule = _KEYED[table]
        for base, number, slot, parent in _slots(table, items, layouts) if kept else ():
            row, said = base.links[number], slot.key_said(base.monday)
            if row in kept and row is not None and _OLD_RULES[table](parent, *said) is None:
                for key in (rule.keys(parent, *said) if rule.parent else rule.keys(*said))[:1]:
                    parting.keys[table].setdefault(key, row)


def _part_homes(items: Sequence[ItemBase], layouts: Mapping[str, Layout], rows: Rows, parting: Parting) -> None:
    """A row is home to one item of the staff board: the one whose id it holds, else the first."""
    homes: dict[tuple[str, RowId], list[SlotPlace]] = defaultdict(list)
    for base in items:
        layout = layouts[base.board]
        record, row = layout.slots[layout.record], base.links[layout.record]
        if row and record.is_home and row in rows.get(record.table, {}):
            homes[record.table, row].append(((base.board, base.id), layout.record))
    for (table, row), places in homes.items():
        holds = getattr(rows[table][row], ITEM_ID)
        places.sort(key=lambda place: (place[0][1] != holds, place))
        if places[1:]:
            parting.strangers.update(places[1:])
            parting.rows[row] = table


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
"""Of what goes by its name or address: the one key that the older rule made. It knew these tables alone, so that a new
table has nothing to add here."""
BY_TEXT = tuple(_OLD_RULES)
"""Tables of which the text tells the key, and not the older key itself."""
