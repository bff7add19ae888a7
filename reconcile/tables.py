"""The nine tables as the sync sees them, one declaration each: what finds a row again, who may write it, what it points
at, what follows from what, what people call it. A new table is its model in `models.py`, its declaration here, its
columns in the mapping and a migration: see docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, get_args, get_type_hints

import models
from models import (
    Customer,
    Insurance,
    PaLaw,
    Policy,
    Project,
    Property,
    Row,
    RowId,
    SalesTeam,
    Storm,
    User,
)
from reconcile.boards import BOARD_SPECS, BoardSpec
from reconcile.columns import ColumnMap
from reconcile.errors import ConfigError
from reconcile.fields import ADDRESS, PERSON_NAME, Joint
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

ITEM_ID = "monday_item_id"
ARCHIVED_AT = "archived_at"
OURS = frozenset({"id", ITEM_ID, ARCHIVED_AT})
"""Columns that say which item a row is, and whether that is still there: nobody's value is in them."""


@dataclass(frozen=True, slots=True)
class KeyRule:
    """Which columns of a slot make its natural keys, strongest first. `parent` is (role, column): the slot whose row a
    key begins with, and the foreign key to it. `certain` are those columns of which no two things share a value: a new
    row that has another one's becomes no item.

    `keys` takes field values as they are, empty and unread ones (None, UNSET: both falsy) among them.
    """

    columns: tuple[str, ...]
    keys: Callable[..., tuple[str, ...]]
    parent: tuple[str, str] | None = None
    certain: tuple[str, ...] = ()

    def of(self, value_of: Callable[[str], Any]) -> tuple[str, ...]:
        """The keys of a row, of which this tells the value of a column."""
        said = [value_of(column) for column in self.columns]
        return self.keys(value_of(self.parent[1]), *said) if self.parent else self.keys(*said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """What a row without an item has in common with an item that may be the same thing: a `number`, or one of `names`
    and whose it is (`owner`, a foreign key)."""

    number: str
    names: tuple[str, ...]
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """What the sync knows of one table beside its columns."""

    model: type[Row]
    """Its columns, all but the two times that are the database's own."""
    role: str
    """The role of the slots that hold a row of it; a person's is followed by `:` and the column's role."""
    key: KeyRule | None
    """How its rows are found again; None where the key is the item itself: only a board's records have that."""
    owned: bool = False
    """Whether an item edits the row it is linked to; else it selects one."""
    names: tuple[str, ...]
    """The columns of which the first that is filled is what people call a row."""
    continuity: tuple[str, ...] = ()
    """The identifying columns of which one must be as it was for a slot to still mean the same thing."""
    foreign_keys: Mapping[str, str] = field(default_factory=dict)
    """Column → the table that it points at. A slot of the same item is meant by its role: `link_column`."""
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns that no cell tells and `reconcile.derived` works out → columns of the row that each follows from and is
    written together with."""
    told_apart: str | None = None
    """The column with the name by which its rows are found, where two that look alike are reported."""
    joint: Joint | None = None
    """Columns that are one field: a name or an address, and its parts."""
    repeats: bool = False
    """Whether few rows of it are named by many items, so that one copy of each text is kept in memory."""
    fan_in: tuple[str, str] | None = None
    """(e-mail, name): an e-mail on many items under many names is a placeholder, by which no row is found."""
    strangers: str | None = None
    """The table of a board's records whose `certain` values find no row of this one: our own people's e-mails."""
    lookalike: Lookalike | None = None
    """How a row of a board's records is told to look like an item, where a person has to say which item it is."""


SPECS: Mapping[str, TableSpec] = {
    "insurances": TableSpec(
        model=Insurance,
        role="insurance",
        key=KeyRule(("company_name",), name_keys),
        names=("company_name",),
        told_apart="company_name",
        repeats=True,
    ),
    "sales_teams": TableSpec(
        model=SalesTeam,
        role="sales_team",
        key=KeyRule(("name",), team_keys),
        names=("name",),
        continuity=("name",),
        told_apart="name",
        repeats=True,
    ),
    "storms": TableSpec(model=Storm, role="storm", key=KeyRule(("date_of_loss",), storm_keys), names=("date_of_loss",)),
    "pa_law": TableSpec(
        model=PaLaw,
        role="pa_law",
        key=KeyRule(("email", "name"), firm_keys),
        names=("name", "email"),
        continuity=("name", "phone"),
        told_apart="name",
    ),
    "users": TableSpec(
        model=User,
        role="user",
        key=KeyRule(("email", "rm_email", "name"), person_keys, certain=("email", "rm_email")),
        names=("name", "email"),
        continuity=("name", "phone"),
        foreign_keys={"sales_team_id": "sales_teams"},
        derived={"roles": ()},
        told_apart="name",
        joint=PERSON_NAME,
        repeats=True,
    ),
    "customers": TableSpec(
        model=Customer,
        role="customer",
        key=KeyRule(("email",), customer_keys),
        owned=True,
        names=("name", "email"),
        continuity=("name", "phone"),
        fan_in=("email", "name"),
        strangers="users",
    ),
    "properties": TableSpec(
        model=Property,
        role="property",
        key=KeyRule(("address",), property_keys, ("customer", "customer_id")),
        owned=True,
        names=("address", "street"),
        continuity=("address",),
        foreign_keys={"customer_id": "customers"},
        joint=ADDRESS,
    ),
    "policies": TableSpec(
        model=Policy,
        role="policy",
        key=KeyRule(("policy_number",), policy_keys, ("insurance", "insurance_id")),
        owned=True,
        names=("policy_number",),
        continuity=("policy_number",),
        foreign_keys={"insurance_id": "insurances", "customer_id": "customers"},
        derived={"customer_id": ()},
    ),
    "projects": TableSpec(
        model=Project,
        role="project",
        key=None,
        owned=True,
        names=("item_name", "name"),
        foreign_keys={
            "customer_id": "customers",
            "property_id": "properties",
            "sales_team_id": "sales_teams",
            "partner_id": "users",
            "project_manager_id": "users",
            "estimator_id": "users",
            "superintendent_id": "users",
            "sales_representative_id": "users",
            "pa_law_id": "pa_law",
            "policy_id": "policies",
            "insurance_id": "insurances",
            "storm_id": "storms",
        },
        derived={"status": ("current_stage",)},
        lookalike=Lookalike(number="claim_number", names=("item_name", "name"), owner="customer_id"),
    ),
}
"""Table → what the sync knows of it, parents before children: the order of locks, inserts and resolution."""

TABLES: Mapping[str, type[Row]] = {table: spec.model for table, spec in SPECS.items()}
"""Table → its model, in that order."""
NAME_OF: Mapping[type[Row], str] = {model: table for table, model in TABLES.items()}
"""Model → its table."""


RECORDS = frozenset(board.table for board in BOARD_SPECS.values())
"""The tables of the boards' records."""
HOMES = frozenset(table for table, spec in SPECS.items() if spec.key is not None and table in RECORDS)
"""Those of them whose rows are found by keys too: a row is at home on its own board, and other boards choose it."""
PEOPLE = frozenset(board.person for board in BOARD_SPECS.values() if board.person is not None)
"""The roles of those who are on a board of people."""


def spec_of(table: str) -> TableSpec:
    """Raises ConfigError, by name, for a table that is mapped and not declared here."""
    spec = SPECS.get(table)
    if spec is None:
        raise ConfigError(
            f"the mapping names the table {table}, of which reconcile/tables.py declares nothing: add its TableSpec"
        )
    return spec


def board_spec(board: str) -> BoardSpec:
    """Raises ConfigError, by name, for a board that is mapped and not declared."""
    spec = BOARD_SPECS.get(board)
    if spec is None:
        raise ConfigError(
            f"monday_api.py maps the {board} board, of which reconcile/boards.py declares nothing: add its BoardSpec"
        )
    return spec


def role_of(table: str, person: str | None) -> str:
    """The role of a slot that holds a row of this table, of this person: `customer`, `user:Estimator`."""
    role = spec_of(table).role
    return f"{role}:{person}" if person else role


def record_role(board: BoardSpec) -> str:
    """The role of the slot whose row stands for an item of the board."""
    return role_of(board.table, board.person)


def home_roles() -> list[str]:
    """The roles of all slots that are a row's home."""
    return sorted(record_role(board) for board in BOARD_SPECS.values() if board.table in HOMES)


def link_column(role: str) -> str:
    """The foreign key that points at the row of a slot.

    >>> link_column("customer"), link_column("user:Project Manager")
    ('customer_id', 'project_manager_id')
    """
    return (role.partition(":")[2] or role).lower().replace(" ", "_") + "_id"


def pointing_at(table: str) -> Iterator[tuple[str, str]]:
    """(other table, its foreign key) for each foreign key that points at a table."""
    for other, spec in SPECS.items():
        yield from ((other, column) for column, target in spec.foreign_keys.items() if target == table)


def target_of(place: str, table: str | None = None) -> str | None:
    """The table that a column points at; None for one that is no pointer. `place` is `table.column`, the id of a field,
    or a column of `table`.

    >>> target_of("projects.customer_id"), target_of("customer_id", "policies"), target_of("customers.name/master:x")
    ('customers', 'customers', None)
    """
    first, dot, column = place.partition("/")[0].partition(".")
    spec = SPECS.get(first if dot else table or "")
    return spec.foreign_keys.get(column if dot else first) if spec is not None else None


def row_keys(table: str, row: Row) -> tuple[str, ...]:
    """The natural keys that a row's present content owns; () where the key is the item."""
    rule = SPECS[table].key
    if rule is None:
        return ()
    return rule.of(partial(getattr, row))


def certain_columns(table: str) -> tuple[str, ...]:
    """The columns of which no two rows share a value: see `KeyRule.certain`."""
    rule = SPECS[table].key
    return rule.certain if rule is not None else ()


def certain_keys(table: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of a row's keys that no two rows share, from its values by column; () for a table without such."""
    rule, columns = SPECS[table].key, certain_columns(table)
    return rule.of({column: values.get(column) for column in columns}.get) if rule is not None and columns else ()


# Is everything declared? ----------------------------------------------------------------------------------------------


def refuse_incomplete(specs: Mapping[str, TableSpec] | None = None) -> None:
    """Raises ConfigError for a declaration that lacks something, before anything is read or written with it."""
    declared = SPECS if specs is None else specs
    roles: dict[str, str] = {}
    for table, spec in declared.items():
        if lack := next(_lacks_of_table(table, spec, declared), None):
            raise ConfigError(f"{table} is not declared whole: {lack}")
        if (other := roles.setdefault(spec.role, table)) != table:
            raise ConfigError(f"{other} and {table} are both declared with the role {spec.role}")
    known = {spec.model for spec in declared.values()}
    rows = [kind for kind in vars(models).values() if isinstance(kind, type) and issubclass(kind, Row)]
    if missing := [kind.__name__ for kind in rows if kind not in known and kind is not Row]:
        raise ConfigError(f"models.py has {', '.join(missing)}, of which reconcile/tables.py declares nothing")
    if len(guarded := [table for table, spec in declared.items() if spec.fan_in]) > 1:
        raise ConfigError(f"{' and '.join(guarded)} are declared with fan_in: one table can have it")


def _lacks_of_table(table: str, spec: TableSpec, declared: Mapping[str, TableSpec]) -> Iterator[str]:
    """What a table's declaration lacks, a sentence each."""
    columns, name = spec.model.__struct_fields__, spec.model.__name__
    if lacking := sorted(_named(spec) - set(columns)):
        yield f"{name} in models.py has no {', '.join(lacking)}"
    if spec.joint is not None and spec.joint.columns != _next_to(columns, spec.joint.columns):
        yield f"{', '.join(spec.joint.columns)} are one field: in models.py they stand together, in this order"
    order = list(declared)
    for column in sorted(_pointers_of(spec.model) - spec.foreign_keys.keys()):
        yield f"{column} is a RowId in models.py, and not among its foreign_keys"
    for column, target in spec.foreign_keys.items():
        if target not in declared:
            yield f"{column} points at {target}, and there is no such table"
        elif order.index(target) >= order.index(table):
            yield f"{column} points at {target}, which stands behind it: parents come first"
    if spec.key is not None and spec.key.parent is not None:
        role, column = spec.key.parent
        target = spec.foreign_keys.get(column, "")
        if target not in declared or declared[target].role != role or link_column(role) != column:
            yield f"its keys begin with a {role}, and {column} is no foreign key to that"


def _named(spec: TableSpec) -> set[str]:
    """All columns that a declaration names."""
    named = {*spec.names, *spec.continuity, *spec.foreign_keys, *spec.derived, *(spec.fan_in or ())}
    named |= {column for follows in spec.derived.values() for column in follows}
    named |= {spec.told_apart} if spec.told_apart is not None else set()
    named |= set(spec.joint.columns) if spec.joint is not None else set()
    if spec.key is not None:
        named |= {*spec.key.columns, *spec.key.certain, *(spec.key.parent or ())[1:]}
    if spec.lookalike is not None:
        named |= {spec.lookalike.number, *spec.lookalike.names, spec.lookalike.owner}
    return named


def _next_to(columns: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    start = columns.index(wanted[0])
    return columns[start : start + len(wanted)]


def _pointers_of(model: type[Row]) -> set[str]:
    hints = get_type_hints(model)
    return {column for column, hint in hints.items() if column != "id" and RowId in (hint, *get_args(hint))}


def refuse_incomplete_boards(mappings: Mapping[str, ColumnMap], boards: Mapping[str, BoardSpec] = BOARD_SPECS) -> None:
    """Raises ConfigError for a board of which something is not declared. `mappings` are the columns of all boards."""
    if missing := sorted(mappings.keys() - boards.keys()):
        raise ConfigError(f"monday_api.py maps the board {missing[0]}, of which reconcile/boards.py declares nothing")
    tables: dict[str, str] = {}
    settings: dict[str, str] = {}
    for board, spec in boards.items():
        if board not in mappings:
            raise ConfigError(f"reconcile/boards.py declares the {board} board, and monday_api.py maps no column of it")
        if lack := next(_lacks_of_board(spec, mappings[board]), None):
            raise ConfigError(f"the {board} board is not declared whole: {lack}")
        if (other := tables.setdefault(spec.table, board)) != board:
            raise ConfigError(
                f"the boards {other} and {board} both have their records in {spec.table}, and a row holds one item's id"
            )
        if (other := settings.setdefault(spec.setting, board)) != board:
            raise ConfigError(f"the boards {other} and {board} both have their id in {spec.setting}")


def _lacks_of_board(spec: BoardSpec, columns: ColumnMap) -> Iterator[str]:
    """What a board's declaration and its columns lack, a sentence each."""
    record = spec_of(spec.table)
    if spec.levels != 1:
        yield f"items of {spec.levels} levels are asked for, and one level alone is synced"
    for missing in sorted({ITEM_ID, ARCHIVED_AT, *spec.named_by} - {*TABLES[spec.table].__struct_fields__}):
        yield f"its records are in {spec.table}, of which the model in models.py has no {missing}"
    if spec.person is not None and "roles" not in record.derived:
        yield f"its records are people, and {spec.table} has no derived column roles"
    if "name" not in columns:
        yield "its columns lack name, without which no item can be made"
    told = [(column_id, column) for column_id, column in columns.items() if column.target]
    told += [(column_id, replace(column, target=column.also, role=None)) for column_id, column in told if column.also]
    if not any((column.table, column.role) == (spec.table, spec.person) for _, column in told):
        yield f"none of its columns tells a {record_role(spec)}, which is its record"
    pointers = {pointer for _, column in told for pointer in spec_of(column.table).foreign_keys}
    for column_id, column in told:
        role = role_of(column.table, column.role)
        if column.column not in TABLES[column.table].__struct_fields__:
            yield f"{column_id} tells {column.target}, which the model in models.py does not have"
        if role != record_role(spec) and spec_of(column.table).key is None:
            yield f"{column_id} tells {column.target}, whose rows are found as items of their own board alone"
        if role != record_role(spec) and link_column(role) not in pointers:
            yield (
                f"{column_id} tells {column.target} of a {role}, and nothing points at that: give {spec.table} the "
                f"foreign key {link_column(role)}"
            )
