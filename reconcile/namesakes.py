"""Firms, insurers, teams and persons that go by names which look alike: two rows, of which a person is told once.

Only names that a plan writes down are compared, with each other and with those that are known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from models import RowId
from reconcile.database_state import DatabaseState
from reconcile.identity import WouldMerge
from reconcile.keys import loose
from reconcile.tables import SPECS
from reconcile.types import ItemKey, Links
from reconcile.working_rows import WorkingRows

NAMES = {table: spec.told_apart for table, spec in SPECS.items() if spec.told_apart is not None}
"""Tables whose rows are found by a name, where they say nothing better, and where they hold it."""

_KIND = "name:"


def namesakes(
    claimed: Mapping[str, Mapping[str, RowId]],
    released: Mapping[str, set[str]],
    database: DatabaseState,
    links: Mapping[ItemKey, Links],
    working: WorkingRows,
) -> list[WouldMerge]:
    """Pairs of rows, each new name with one that was there before, or else with the first of them."""
    pairs = [pair for table in NAMES for pair in _alike(table, claimed, released, database, working)]
    if not pairs:
        return []
    first: dict[RowId, ItemKey] = {}
    rows = {row for _table, row, _other in pairs}
    for item in sorted(links, reverse=True):
        first |= dict.fromkeys(rows.intersection(row for row in links[item] if row), item)
    return [
        WouldMerge(
            first[row],
            f"{table}.{row}",
            table,
            row,
            other,
            names=(_text(table, row, database, working), _text(table, other, database, working)),
        )
        for table, row, other in pairs
        if row in first
    ]


def _alike(
    table: str,
    claimed: Mapping[str, Mapping[str, RowId]],
    released: Mapping[str, set[str]],
    database: DatabaseState,
    working: WorkingRows,
) -> Iterator[tuple[str, RowId, RowId]]:
    new = {key: row for key, row in claimed.get(table, {}).items() if key.startswith(_KIND)}
    if not new:
        return
    known = {key: row for key, (row, _text) in database.names[table].items()} | database.keys[table]
    there = {key: row for key, row in known.items() if key.startswith(_KIND) and key not in new}
    by_look: dict[str, list[tuple[str, RowId]]] = defaultdict(list)
    for key, row in (*sorted(there.items()), *sorted(new.items())):
        if key not in released.get(table, ()) and (look := loose(key.removeprefix(_KIND))):
            by_look[look].append((key, row))
    for look, every in by_look.items():
        if len(every) == 1 or all(key not in new for key, _row in every):
            continue
        found = [
            (key, row) for key, row in every if loose(_text(table, row, database, working)) == look
        ]  # not renamed in SQL
        yield from ((table, row, found[0][1]) for key, row in found[1:] if key in new and row != found[0][1])


def _text(table: str, row: RowId, database: DatabaseState, working: WorkingRows) -> str:
    held = working.row(table, row)
    if held is None:
        return next((text for known, text in database.names[table].values() if known == row), "")
    return str(getattr(held, NAMES[table]) or "")
