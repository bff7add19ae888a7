"""Whatever people do on both sides, in whatever order with the two commands: a few runs later nothing is left to do."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest

from models import UNREADABLE
from reconcile.columns import Policy
from tests.support.kit import REFERENCES
from tests.unit.script import ARCHIVED, SILENT, STAFF_FROM, Sides, key_of

PHONES = ["+12025550172", "(202) 555-0172", "+13035550199", ""]
OAK, ELM = "1 Oak St, Reno, NV 89501", "2 Elm St, Elko, NV 89801"
CELLS: dict[str, dict[str, list[str]]] = {
    "master": {
        "customers.email": ["ann@x.co", "bob@x.co", ""],
        "customers.name": ["Ann Lee", "Bob Roe", ""],
        "customers.phone": PHONES,
        "properties.address": [OAK, ELM, "ask Bob", ""],
        "users.email/Estimator": ["pam@x.co", "pat@x.co", ""],
        "users.name/Estimator": ["Pam Poe", "Pat Poe", ""],
        "users.email/Partner": ["pam@x.co", "pat@x.co", ""],
        "policies.policy_number": ["P-1", "P-2", ""],
        "insurances.company_name": ["Mutual", "Acme", ""],
        "sales_teams.name": ["Retail", "Storm Team", ""],
        "projects.estimated_value": ["10", "20", "ten", ""],
        "projects.current_stage": ["Lead", "Approved", "Lunch", ""],
        "storms.date_of_loss": ["2026-04-30", "2026-05-01", ""],
    },
    "staff": {
        "users.first_name": ["Pam", "Pat"],
        "users.last_name": ["Poe", ""],
        "users.email": ["pam@x.co", "pat@x.co", ""],
        "users.monday_team": ["Retail", "Storm Team", ""],
        "users.phone": PHONES,
    },
}
COLUMNS: dict[str, dict[str, list[Any]]] = {
    "customers": {"email": ["ann@x.co", "eve@x.co", None], "name": ["Ann Lee", "Eve", None], "phone": [*PHONES, "bad"]},
    "properties": {"city": ["Elko", "Reno", None], "address": [OAK, "3 Fir St, Elko, NV 89801", None]},
    "users": {"name": ["Pam Poe", "Zed", None], "email": ["pam@x.co", "zed@x.co", None], "phone": PHONES},
    "policies": {"policy_number": ["P-1", "P-3", None]},
    "insurances": {"company_name": ["Mutual", "Zen", None]},
    "sales_teams": {"name": ["Retail", "Storm Team"]},
    "storms": {"date_of_loss": [None, date(2026, 5, 1)]},
    "projects": {
        "estimated_value": [Decimal("10.00"), Decimal("30.00"), None, UNREADABLE],
        "current_stage": ["Lead", "Closed", None],
        "name": ["Roof", None],
        "customer_id": [],
        "estimator_id": [],
        "storm_id": [],
        "policy_id": [],
        "property_id": [],
        "insurance_id": [],
    },
}
"""What people type; a foreign key takes any row of its table, or none."""


def edit_an_item(sides: Sides, chance: random.Random) -> None:
    item_id = chance.choice([1, 2, 3, 4, STAFF_FROM + 1, STAFF_FROM + 2])
    cells = CELLS[key_of(item_id)[0]]
    sides.edit_item(item_id, {target: chance.choice(cells[target]) for target in cells if chance.random() < 0.3})


def edit_a_row(sides: Sides, chance: random.Random) -> None:
    table = chance.choice([*COLUMNS, "projects"])
    if not sides.memory.rows[table]:
        return
    sides.named["it"] = chance.choice(sorted(sides.memory.rows[table]))
    column = chance.choice(sorted(COLUMNS[table]))
    values = COLUMNS[table][column] or [*sorted(sides.memory.rows[REFERENCES[column]]), None]
    sides.edit_row("it", {column: chance.choice(values)})


def delete_a_row(sides: Sides, chance: random.Random) -> None:
    rows = sorted(sides.memory.rows[chance.choice(["customers", "users", "projects"])])
    if rows:
        sides.named["it"] = chance.choice(rows)
        sides.delete_row("it")


def take_an_item_away(sides: Sides, chance: random.Random) -> None:
    if sides.items:
        sides.items[chance.choice(sorted(sides.items))].state = chance.choice(["active", ARCHIVED, SILENT])


@pytest.mark.parametrize("seed", range(150))
def test_a_random_script_ends_in_step(seed: int) -> None:
    chance, sides = random.Random(seed), Sides()
    policy = chance.choice([None, *get_args(Policy)])
    steps = [edit_an_item, edit_a_row, delete_a_row, take_an_item_away, "pull", "push"]
    edit_an_item(sides, chance)
    for step in [*chance.choices(steps, [40, 30, 3, 3, 12, 12], k=chance.randint(4, 14)), *["pull", "push"] * 3]:
        if callable(step):
            step(sides, chance)
        elif step == "pull":
            sides.pull(policy=policy)
        elif sides.memory.items:  # a push compares with what a pull has seen
            sides.push(policy=policy)
    assert sides.plan_pull({"policy": policy})[0].writes == 0
    sent = sides.prepare_push({"policy": policy})[0]
    assert (sent.items, sent.creates) == ([], [])
    if (
        policy != "manual"
        and not sides.memory.refused
        and not any("ten" in str(job.cells) for job in sides.items.values())
    ):
        left = [
            values
            for table in sides.memory.rows.values()
            for row, values in table.items()
            if row in sides.memory.edited()
        ]
        assert [values for values in left if UNREADABLE not in msgspec.structs.astuple(values)] == [], (
            "something is still to be told"
        )
