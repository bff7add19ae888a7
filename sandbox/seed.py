"""A company made up from a seed: the same arguments give the same world, cell by cell.

It has what a real roofing company's boards have: shared customers, returning firms, gaps, typing habits, and a small
share of cells that are wrong in ways that boards get wrong.
"""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

from sandbox.boards import (
    MASTER_BOARD_ID,
    STAFF_BOARD_ID,
    STAGES,
    TEAM_LABELS,
    TEAMS,
    TRADES,
    master_columns,
    staff_columns,
    staff_groups,
    stage_groups,
)
from sandbox.cells import (
    Cell,
    Checkbox,
    Date,
    Dropdown,
    Formula,
    Link,
    LongText,
    Mirror,
    Numbers,
    People,
    Relation,
    Status,
    Text,
)
from sandbox.clock import DAY_S, Clock, epoch
from sandbox.seed_company import HISTORY_DAYS, Company, Customer, found, next_customer, slug, some_files
from sandbox.seed_dirt import dirty
from sandbox.seed_words import (
    CITIES,
    DETAILS,
    JOBS,
    NOTES,
    SHIRTS,
    STREETS,
)
from sandbox.world import HUMAN, Account, Board, Item, State, World

SEED_NOW = "2026-11-23T12:00:00Z"
"""The instant that the seeded company's history ends at."""

_FIRST_MASTER_ID = 6_727_300_000
_FRESH = 0.005
_ARCHIVED = 0.01
_TRADE_LABELS = [number for number in range(1, len(TRADES) + 2) if number != 5]
_ROLES = (
    ("text19__1", "email6__1", "phone_13__1"),
    ("job_est_1_name__1", "email0__1", "phone_10__1"),
    ("dup__of_text6__1", "dup__of_email__1", "dup__of_phone_1__1"),
)

Row = dict[str, Cell]


def seed_world(
    items: int = 2000, staff: int = 120, seed: int = 7, groups: int = 10, skew: float = 0.0, now: str = SEED_NOW
) -> World:
    """Both boards, filled: `items` active projects in `groups` groups, and `staff` people.

    `skew` is the share of all projects that lies in the first group, 0 spreads them evenly. About one project in a
    hundred more is archived. The clock of the world does not start before `now`.
    """
    company = Company(random.Random(seed), int(epoch(now)))
    world = World(Account(), Clock(company.now))
    world.boards[MASTER_BOARD_ID] = Board(
        MASTER_BOARD_ID, "MASTER PROJECT BOARD", master_columns(), stage_groups(groups), updated_at=company.now
    )
    world.boards[STAFF_BOARD_ID] = Board(
        STAFF_BOARD_ID, "SALES STAFF BOARD", staff_columns(), staff_groups(), updated_at=company.now
    )
    found(company, staff)
    for person in company.staff:
        world.account.people[42_000_000 + person.item_id % 100_000] = person.name.text
    _fill_staff(world, company)
    _fill_master(world, company, items, groups, skew)
    return world


def _fill_staff(world: World, company: Company) -> None:
    rng, board = company.rng, world.boards[STAFF_BOARD_ID]
    for i, person in enumerate(company.staff):
        city, state, zip_code = rng.choice(CITIES)
        row: Row = {
            "text25": Text(person.first),
            "text1": Text(person.last),
            "email__1": person.email,
            "phone": person.phone,
            "status_13": Status(person.team, company.now),
            "text": Text(f"{rng.randrange(100, 9900)} {rng.choice(STREETS)}"),
            "text2": Text(city),
            "text5": Text(state),
            "text57": Text(zip_code),
            "text6": Text(rng.choice(SHIRTS)),
            "date4": Date(str(company.today - timedelta(days=rng.randrange(2500)))),
        }
        if company.maybe(0.6):
            row["email7"] = company.email(person.email.email.replace("@", ".rm@"))
        for column_id, title in (("files3", "license"), ("files_1", "w9")):
            if company.maybe(0.5):
                row[column_id] = some_files(company, f"{slug(person.last)}-{title}.pdf")
        for column_id in ("text", "text2", "text5", "text57", "text6", "phone", "status_13", "date4"):
            if company.maybe(0.25):
                row.pop(column_id, None)
        if i == 3 and len(company.staff) > 4:
            row["email__1"] = company.staff[4].email  # two people share one address: somebody copied a line
        group = board.groups[0 if i % 12 else 2 if i % 24 else 1].id
        _place(company, world, board, (person.item_id, group, person.name.text), row, i / len(company.staff))


def _fill_master(world: World, company: Company, items: int, groups: int, skew: float) -> None:
    board, rng = world.boards[MASTER_BOARD_ID], company.rng
    archived = max(1, int(items * _ARCHIVED)) if items else 0
    spoiled = 0
    for i in range(items + archived):
        position = (i + 0.5) / max(1, items)
        stage = _stage(position, groups, skew) if i < items else groups - 1
        row = _project(company, i, stage)
        row = _with_gaps(company, row)
        name = _item_name(row, i)
        if company.maybe(0.015):
            dirty(rng, row, [person.email for person in company.staff], spoiled)
            spoiled += 1
        item = (_FIRST_MASTER_ID + 37 * i, board.groups[stage].id, name)
        _place(company, world, board, item, row, i / (items + archived), "archived" if i >= items else "active")


def _stage(position: float, groups: int, skew: float) -> int:
    if skew and groups > 1:
        return 0 if position < skew else min(groups - 1, 1 + int((position - skew) / (1 - skew) * (groups - 1)))
    return min(groups - 1, int(position * groups))


def _project(company: Company, number: int, stage: int) -> Row:
    rng = company.rng
    customer = next_customer(company, number)
    price = Decimal(rng.randrange(40_000, 6_000_000)) / 100
    job = JOBS[int(rng.random() * len(JOBS))]
    rep = company.staff[int(rng.random() * len(company.staff))] if company.staff else company.partners[0]
    row: Row = {
        "text95__1": Text(STAGES[stage % len(STAGES)]),
        "link__1": Link(
            f"https://app.jobprogress.example/jobs/{100_000 + number}",
            f"Job {100_000 + number}" if number % 3 else "",
            company.now - DAY_S,
        ),
        "text01__1": Text(f"{customer.name.text} - {job}"),
        "text40__1": Text(f"{job}; {DETAILS[int(rng.random() * len(DETAILS))]}"),
        "text_7__1": Text(f"https://app.companycam.example/projects/{8_000_000 + number * 7}"),
        "numbers0": Numbers(f"{price.normalize():f}"),
        "claim_number__1": Text(f"{rng.randrange(10**7, 10**8)}-{number % 97:02d}"),
        "phone_17__1": company.phone(),
        "email57__1": company.email(f"adjuster{rng.randrange(900)}@claims.example"),
        "text65__1": customer.name,
        "job_division___1__1": Status(rep.team, company.now - 30 * DAY_S),
        "dup__of_text0__1": Text(f"HO-{rng.randrange(10**6, 10**7)}"),
        "date_19__1": company.storms[int(rng.random() * len(company.storms))],
        "connect_boards__1": Relation(rep.name.text, (rep.item_id,), company.now),
        "lookup__1": Mirror(TEAMS[TEAM_LABELS.index(rep.team)]),
        "formula__1": Formula(f"{price:f}"),
        "people__1": People(((42_000_000 + rep.item_id % 100_000, "person"),), company.now),
        "dropdown__1": Dropdown((_TRADE_LABELS[number % 7], _TRADE_LABELS[(number + 2) % 7])),
        "text22__1": Text(rep.first),
        "text49__1": Text(rep.last),
        "email5__1": rep.email,
        "sales_rep_phone____1": rep.phone,
    }
    if number % 2:
        row["qb_total_payments__1"] = Numbers(f"{(price / 2).quantize(Decimal('0.01')).normalize():f}")
    _add_customer(row, customer)
    _add_parties(company, row)
    _add_extras(company, row, number)
    return row


def _add_customer(row: Row, customer: Customer) -> None:
    cells = (
        ("email4__1", customer.email),
        ("phone_1__1", customer.phone),
        ("text43__1", customer.notes),
        ("dup__of_job_address0__1", customer.address),
    )
    row.update({column_id: cell for column_id, cell in cells if cell is not None})


def _add_parties(company: Company, row: Row) -> None:
    """Insurer, adjuster's side, partner, and three roles held by staff or now and then by a partner."""
    rng = company.rng
    insurer = company.insurers[int(rng.random() * len(company.insurers))]
    row["text31__1"], row["phone_132__1"], row["email05__1"] = insurer
    if rng.random() < 0.4:
        firm = company.firms[int(rng.random() * len(company.firms))]
        row["jp_pa_law_name__1"], row["jp_pa_law_email__1"], row["jp_pa_law_phone__1"] = firm
    if rng.random() < 0.3:
        partner = company.partners[int(rng.random() * len(company.partners))]
        row["partner_name__1"], row["partner_email__1"] = partner.name, partner.email
        row["partner_phone____1"] = partner.phone
    for role, (name, email, phone) in enumerate(_ROLES):
        if rng.random() < 0.75:
            crowd = company.partners if rng.random() < 0.1 or not company.staff else company.staff
            size = min(len(crowd), 8 + 2 * role)
            person = crowd[(role * 13 + int(rng.random() * size)) % len(crowd)]
            row[name], row[email], row[phone] = person.name, person.email, person.phone


def _add_extras(company: Company, row: Row, number: int) -> None:
    rng = company.rng
    if rng.random() < 0.3:
        row["files9__1"] = some_files(company, f"EagleView {number}.pdf")
    if rng.random() < 0.2:
        row["files66__1"] = some_files(company, f"one click {number}.pdf")
    if rng.random() < 0.3:
        row["long_text__1"] = LongText(NOTES[int(rng.random() * len(NOTES))], company.now)
    if rng.random() < 0.3:
        row["check__1"] = Checkbox(company.now)
    if rng.random() < 0.5:
        day = company.today + timedelta(days=int((rng.random() - 0.5) * 60))
        row["date__1"] = Date(
            str(day), f"{int(rng.random() * 24):02d}:30:00" if rng.random() < 0.5 else "", company.now
        )


def _with_gaps(company: Company, row: Row) -> Row:
    """About one cell in nine is missing besides what was never there; one project in fifty names no customer at all."""
    rng = company.rng.random
    kept = {column_id: cell for column_id, cell in row.items() if rng() >= 0.11}
    if rng() < 0.02:
        for column_id in ("text65__1", "email4__1", "phone_1__1", "text43__1", "dup__of_job_address0__1"):
            kept.pop(column_id, None)
    return kept


def _item_name(row: Row, number: int) -> str:
    customer = row.get("text65__1")
    return f"{customer.text} {2026000 + number}" if isinstance(customer, Text) else f"Project {2026000 + number}"


def _place(
    company: Company,
    world: World,
    board: Board,
    item: tuple[int, str, str],
    row: Row,
    age: float,
    state: State = "active",
) -> None:
    """Put an item (id, group, name) on its board. `age` is where in the two years it was created, 0 to 1.

    It was changed some time since, hardly ever in the last two days.
    """
    rng = company.rng
    created = company.now - 3 * DAY_S - int((1 - age) * (HISTORY_DAYS - 3) * DAY_S)
    settled = company.now - 2 * DAY_S - created
    updated = created + int(rng.random() * settled)
    if rng.random() < _FRESH:
        updated = company.now - int(rng.random() * 2 * DAY_S)
    cells = [row.get(column.id) for column in board.columns]
    item_id, group, name = item
    world.adopt(Item(item_id, board.id, group, name, created, updated, cells, state, HUMAN))
