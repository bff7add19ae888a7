"""The nine tables as the sync sees them, one declaration each: what finds a row again, who may write it, what it points
at, what people call it. A new table is its model in `models.py`, its declaration here, and its columns in the mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models import REFERENCES, TABLES, Row
from reconcile.errors import ConfigError
from reconcile.fields import ADDRESS_COLUMNS, NAME_COLUMNS
from reconcile.keys import (
    customer_keys,
    firm_keys,
    name_keys,
    person_keys,
    policy_keys,
    property_keys,
    storm_keys,
    team_keys,
)


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Which columns of a slot make its natural keys, strongest first. `parent` is (role, column): the slot whose row a
    key begins with, and the foreign key to it.

    `keys` takes field values as they are, empty and unread ones (None, UNSET: both falsy) among them.
    """

    columns: tuple[str, ...]
    keys: Callable[..., tuple[str, ...]]
    parent: tuple[str, str] | None = None

    def keys_of(self, parent: str | None, values: Sequence[Any]) -> tuple[str, ...]:
        """The natural keys that values of the columns make, with the row of the parent where there is one."""
        return self.keys(parent, *values) if self.parent is not None else self.keys(*values)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """What the sync knows of one table beside its columns."""

    role: str
    """The role of the slots that hold a row of it; a person's is `user:` and the column's role."""
    key: KeyRule | None
    """How its rows are found again; None where the key is the item itself."""
    owned: bool = False
    """Whether an item edits the row it is linked to; else it selects one."""
    names: tuple[str, ...]
    """The columns of which the first that is filled is what people call a row."""
    continuity: tuple[str, ...] = ("name", "phone")
    """The identifying columns of which one must be as it was for a slot to still mean the same thing."""
    points_at: tuple[str, ...] = ()
    """Roles of the same item that its row has a foreign key to; those of the item's own row come from its columns."""
    told_apart: str | None = None
    """The column with the name by which its rows are found, where two that look alike are reported."""
    joint: tuple[str, ...] = ()
    """Columns that are one field: a name and its parts."""
    repeats: bool = False
    """Whether few rows of it are named by many items, so that one copy of each text is kept in memory."""


SPECS: dict[str, TableSpec] = {
    "insurances": TableSpec(
        role="insurance",
        key=KeyRule(("company_name",), name_keys),
        names=("company_name",),
        told_apart="company_name",
        repeats=True,
    ),
    "sales_teams": TableSpec(
        role="sales_team", key=KeyRule(("name",), team_keys), names=("name",), told_apart="name", repeats=True
    ),
    "storms": TableSpec(role="storm", key=KeyRule(("date_of_loss",), storm_keys), names=("date_of_loss",)),
    "pa_law": TableSpec(
        role="pa_law", key=KeyRule(("email", "name"), firm_keys), names=("name", "email"), told_apart="name"
    ),
    "users": TableSpec(
        role="user",
        key=KeyRule(("email", "rm_email", "name"), person_keys),
        names=("name", "email"),
        points_at=("sales_team",),
        told_apart="name",
        joint=NAME_COLUMNS,
        repeats=True,
    ),
    "customers": TableSpec(
        role="customer", key=KeyRule(("email",), customer_keys), owned=True, names=("name", "email")
    ),
    "properties": TableSpec(
        role="property",
        key=KeyRule(("address",), property_keys, ("customer", "customer_id")),
        owned=True,
        names=("address", "street"),
        continuity=("address",),
        points_at=("customer",),
        joint=ADDRESS_COLUMNS,
    ),
    "policies": TableSpec(
        role="policy",
        key=KeyRule(("policy_number",), policy_keys, ("insurance", "insurance_id")),
        owned=True,
        names=("policy_number",),
        continuity=("policy_number",),
        points_at=("insurance",),
    ),
    "projects": TableSpec(role="project", key=None, owned=True, names=("item_name", "name")),
}
"""Table → what the sync knows of it."""

EMAILS = {
    table: emails
    for table, spec in SPECS.items()
    if spec.key is not None and (emails := [column for column in spec.key.columns if column.endswith("email")])
}
"""Table → its columns with an e-mail by which its rows are found."""


def spec_of(table: str) -> TableSpec:
    """Raises ConfigError, by name, for a table that is mapped and not declared here."""
    spec = SPECS.get(table)
    if spec is None:
        raise ConfigError(
            f"the mapping names the table {table}, of which reconcile/tables.py declares nothing: add its TableSpec, "
            "and its model to models.py"
        )
    return spec


def refuse_incomplete(specs: dict[str, TableSpec] | None = None) -> None:
    """Raises ConfigError for a declaration that lacks something, before anything is read or written with it."""
    declared = SPECS if specs is None else specs
    roles = {spec.role for spec in declared.values()}
    for table, spec in declared.items():
        model = TABLES.get(table)
        if model is None:
            raise ConfigError(
                f"reconcile/tables.py declares {table}, which has no model: add it to TABLES in models.py"
            )
        columns = set(model.__struct_fields__)
        parent = spec.key.parent if spec.key is not None else None
        named = {*spec.names, *spec.joint, *filter(None, (spec.told_apart,))}
        named |= {*(spec.key.columns if spec.key is not None else ()), *((parent[1],) if parent else ())}
        if lacking := sorted(named - columns):
            raise ConfigError(
                f"{table} is declared with {', '.join(lacking)}, which its model in models.py does not have"
            )
        for role in (*spec.points_at, *((parent[0],) if parent else ())):
            if role not in roles:
                raise ConfigError(f"{table} is declared to point at a {role}, and no table has that role")
            if f"{role}_id" not in columns or f"{role}_id" not in REFERENCES:
                raise ConfigError(f"{table} points at a {role}: {role}_id is missing in its model, or in REFERENCES")
    if missing := sorted(TABLES.keys() - declared.keys()):
        raise ConfigError(f"models.py has {', '.join(missing)}, of which reconcile/tables.py declares nothing")


def row_keys(table: str, row: Row) -> tuple[str, ...]:
    """The natural keys that a row's present content owns; () where the key is the item."""
    rule = SPECS[table].key
    if rule is None:
        return ()
    parent = getattr(row, rule.parent[1]) if rule.parent is not None else None
    return rule.keys_of(parent, [getattr(row, column) for column in rule.columns])
