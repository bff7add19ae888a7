"""What follows from an edit in other columns and rows: the same, whichever of the two sides it was made on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.company import Company
from tests.support.pushing import in_step, jobs

ESTIMATOR, ESTIMATORS_EMAIL = "job_est_1_name__1", "email0__1"
CUSTOMER, CUSTOMERS_EMAIL = "text65__1", "email4__1"
POLICY, INSURER, STAGE = "dup__of_text0__1", "text31__1", "text95__1"


def email(address: str) -> dict[str, str]:
    return {"email": address, "text": address}


@dataclass(frozen=True)
class Edit:
    """One edit of the first job as it is typed on the board, as it is typed in SQL, and what is found afterwards."""

    cells: dict[str, Any]
    statement: str
    query: str
    found: list[tuple[Any, ...]]


OWNERS = (
    "SELECT l.policy_number, c.email FROM policies l JOIN customers c ON c.id = l.customer_id ORDER BY l.policy_number"
)
ROLES = "SELECT email, roles FROM users WHERE email ~ '^(eve|sam)' ORDER BY email"
KEYS = (
    "SELECT k.key FROM monday_sync.sync_key k JOIN projects p ON p.customer_id = k.row_id"
    " WHERE p.item_name = 'Job 1' AND k.key NOT LIKE 'slot:%' ORDER BY 1"
)
POINT = "UPDATE projects p SET {0} = o.{0} FROM projects o WHERE p.item_name = 'Job 1' AND o.item_name = 'Job 2'"
EDITS = {
    "another customer": Edit(
        {CUSTOMER: "Owner 2", CUSTOMERS_EMAIL: email("owner2@mail.example")},
        POINT.format("customer_id"),
        OWNERS,
        [("P-1", "owner2@mail.example"), ("P-2", "owner2@mail.example")],
    ),
    "another policy": Edit(
        {POLICY: "P-2"},
        POINT.format("policy_id"),
        OWNERS,
        [("P-1", "owner1@mail.example"), ("P-2", "owner1@mail.example")],
    ),
    "no customer": Edit(
        {CUSTOMER: None, CUSTOMERS_EMAIL: None},
        "UPDATE projects SET customer_id = NULL WHERE item_name = 'Job 1'",
        OWNERS,
        [("P-1", "owner1@mail.example"), ("P-2", "owner2@mail.example")],
    ),
    "another estimator": Edit(
        {ESTIMATOR: "Sam Poe", ESTIMATORS_EMAIL: email("sam@roofs.example")},
        POINT.format("estimator_id"),
        ROLES,
        [("eve@roofs.example", ["Roofer"]), ("sam@roofs.example", ["Estimator"])],
    ),
    "another stage": Edit(
        {STAGE: "Paid in full"},
        "UPDATE projects SET current_stage = 'Paid in full' WHERE item_name = 'Job 1'",
        "SELECT status FROM projects WHERE item_name = 'Job 1'",
        [("completed",)],
    ),
    "another e-mail": Edit(
        {CUSTOMERS_EMAIL: email("ann@mail.example")},
        "UPDATE customers SET email = 'ann@mail.example' WHERE email = 'owner1@mail.example'",
        KEYS,
        [("email:ann@mail.example",)],
    ),
    "no e-mail": Edit(
        {CUSTOMERS_EMAIL: None},
        "UPDATE customers SET email = NULL WHERE email = 'owner1@mail.example'",
        KEYS,
        [],
    ),
}


@pytest.mark.parametrize("side", ["monday", "postgres"])
@pytest.mark.parametrize("name", EDITS)
def test_it_is_the_same_whichever_side_was_edited(synced: Company, name: str, side: str) -> None:
    one, other = jobs(synced)[:2]
    estimators = (one, "P-1", "Eve Lee", "eve"), (other, "P-2", "Sam Poe", "sam")
    for item, policy, person, local in estimators:
        told = {ESTIMATOR: person, ESTIMATORS_EMAIL: email(f"{local}@roofs.example")}
        synced.sandbox.edit(item, {POLICY: policy, INSURER: "Mutual", **told})
    assert synced.sync().code == 0
    synced.sql("UPDATE users SET roles = roles || '{Roofer}' WHERE email = 'eve@roofs.example'")
    in_step(synced)
    edit = EDITS[name]
    if side == "monday":
        synced.sandbox.edit(one, edit.cells)
        ended = synced.sync()
    else:
        synced.sql(edit.statement)
        ended = synced.push()
    assert ended.code == 0, ended.out
    assert synced.sql(edit.query) == edit.found
    assert synced.sync("--test").report["waiting"] == 0, "what follows from an edit is no edit itself"
    in_step(synced)
