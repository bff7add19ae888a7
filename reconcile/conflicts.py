"""Two edits of one field: what is kept of them, and who wins. The one place where a policy becomes a winner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from msgspec import UNSET

from models import RowId
from reconcile.columns import Policy
from reconcile.database_state import ItemKey
from reconcile.layout import Field

ConflictPlace = tuple[ItemKey, str]
"""(item, field id): what a conflict is about, for as long as it stays open."""

Winner = Literal["monday", "postgres", "nobody"]

_WINNERS: dict[Policy, Winner] = {"monday": "monday", "pg": "postgres", "manual": "nobody"}


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two edits of one field. `open` while a person, or the other direction, has to decide.

    `monday` and `postgres` are what the two sides say, `agreed` what they last agreed on; UNSET where they never did.
    """

    item: ItemKey
    role: str
    field: str
    table: str
    row: RowId
    kept_from: str
    kept: Any
    lost_from: str
    lost: Any
    open: bool = False
    monday: Any = None
    postgres: Any = None
    agreed: Any = UNSET

    @property
    def place(self) -> ConflictPlace:
        return self.item, self.field

    def left_open(self) -> Conflict:
        """The same with nobody as its winner: a person decides, and until then monday's edit is the one that waits."""
        return replace(self, kept_from="nobody", kept=None, lost_from="monday", lost=self.monday, open=True)


def winner(field: Field, policy: Policy | None) -> Winner:
    """Who wins a conflict about this field; the `policy` that a person chose for the run overrides the mapping's."""
    return _WINNERS[policy or field.policy]
