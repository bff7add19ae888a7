"""Two edits of one field: who wins. The one place where a policy becomes a winner."""

from __future__ import annotations

from reconcile.columns import Policy
from reconcile.types import Field, Winner

_WINNERS: dict[Policy, Winner] = {"monday": "monday", "pg": "postgres", "manual": "nobody"}


def winner(field: Field, policy: Policy | None) -> Winner:
    """Who wins a conflict about this field; the `policy` that a person chose for the run overrides the mapping's."""
    return _WINNERS[policy or field.policy]
