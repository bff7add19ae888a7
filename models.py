"""The nine tables, one struct each: field order is column order, annotations are the column types.

What else there is to know of a table stands in `reconcile/tables.py`. A row is one of these from the read to the write:
its values go by their names. `created_at` and `updated_at` are the database's own business and are not here.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, NewType, Protocol

import msgspec

RowId = NewType("RowId", str)
"""A row's uuid in PostgreSQL's text form."""

FilesJson = NewType("FilesJson", str)
"""A `jsonb` list of `{"url", "name", "asset_id"}` as text, or None for no files."""


class Unreadable(Enum):
    """Stands in a row for a value that PostgreSQL can hold and this program cannot: the year 20311, `infinity`, a list
    of lists. It equals nothing but itself and is false, like a value that is not there: it makes no key. It takes no
    part in anything, is never written to either side, and stays until a person corrects it.
    """

    UNREADABLE = "unreadable"

    def __bool__(self) -> bool:
        return False


UNREADABLE: Final = Unreadable.UNREADABLE


class Joint(Protocol):
    """What is merged as one value: a column, or several that say one thing. See `reconcile.layout.Field`."""

    @property
    def columns(self) -> tuple[str, ...]: ...


class Row(msgspec.Struct):
    """One row. A column goes by its name, `row.phone`, and what is merged as one value by its field, `row[field]`."""

    id: RowId

    def __getitem__(self, field: Joint) -> Any:
        """The value of a field: of several columns a tuple, None where all of them are empty."""
        columns = field.columns
        if len(columns) == 1:
            return getattr(self, columns[0])
        parts = tuple([getattr(self, column) for column in columns])
        return parts if any(part is not None for part in parts) else None

    def __setitem__(self, field: Joint, value: Any) -> None:
        columns = field.columns
        if len(columns) == 1:
            setattr(self, columns[0], value)
            return
        for column, part in zip(columns, (None,) * len(columns) if value is None else value, strict=True):
            setattr(self, column, part)

    def changes_to(self, after: Row) -> dict[str, tuple[Any, Any]]:
        """Column → (before, after) of what differs in another version of the row."""
        pairs = zip(self.__struct_fields__, msgspec.structs.astuple(self), msgspec.structs.astuple(after), strict=True)
        return {column: (old, new) for column, old, new in pairs if old != new}


class Record(Protocol):
    """A row that stands for an item itself: a project, or a staff member."""

    id: RowId
    monday_item_id: int | None
    archived_at: datetime | Literal["now"] | Unreadable | None
    """`now`: as of the transaction that writes it."""


class Project(Row):
    monday_item_id: int | None = None
    item_name: str | None = None
    name: str | None = None
    description: str | None = None
    current_stage: str | None = None
    status: str | None = None
    link: str | None = None
    company_cam_link: str | None = None
    estimated_value: Decimal | None = None
    total_payment: Decimal | None = None
    claim_number: str | None = None
    adjuster_phone: str | None = None
    adjuster_email: str | None = None
    customer_id: RowId | None = None
    property_id: RowId | None = None
    sales_team_id: RowId | None = None
    partner_id: RowId | None = None
    project_manager_id: RowId | None = None
    estimator_id: RowId | None = None
    superintendent_id: RowId | None = None
    sales_representative_id: RowId | None = None
    pa_law_id: RowId | None = None
    policy_id: RowId | None = None
    insurance_id: RowId | None = None
    storm_id: RowId | None = None
    archived_at: datetime | None = None


class Customer(Row):
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    notes: str | None = None


class Property(Row):
    """A building; `address` is the cell as typed, the four parts are parsed from it."""

    customer_id: RowId | None = None
    address: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    measurements: FilesJson | None = None
    one_click_codes: FilesJson | None = None


class User(Row):
    """A person: a staff member, or somebody who holds a role on a project. `roles` is sorted and distinct."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    rm_email: str | None = None
    phone: str | None = None
    roles: list[str] | None = None
    sales_team_id: RowId | None = None
    monday_team: str | None = None
    shirt_size: str | None = None
    address: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    identification_files: FilesJson | None = None
    onboarding_files: FilesJson | None = None
    monday_item_id: int | None = None
    archived_at: datetime | None = None


class SalesTeam(Row):
    name: str | None = None


class PaLaw(Row):
    """A public adjuster or a law firm."""

    name: str | None = None
    phone: str | None = None
    email: str | None = None


class Policy(Row):
    policy_number: str | None = None
    customer_id: RowId | None = None
    insurance_id: RowId | None = None


class Insurance(Row):
    company_name: str | None = None
    company_phone: str | None = None
    company_email: str | None = None


class Storm(Row):
    date_of_loss: date | None = None
