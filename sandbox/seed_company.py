"""The seeded company itself: its people, firms, storms and customers, from which its boards are filled."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sandbox.boards import TEAM_LABELS
from sandbox.cells import Date, Email, File, FileKind, Files, Phone, Text
from sandbox.clock import DAY_S
from sandbox.seed_words import (
    AREA_CODES,
    CITIES,
    FIRST_NAMES,
    INSURERS,
    LAST_NAMES,
    LAW_FIRMS,
    NOTES,
    PLACEHOLDER_EMAILS,
    STREETS,
    UNPARSED_ADDRESSES,
)

HISTORY_DAYS = 730
_FIRST_STAFF_ID = 5_764_100_000


@dataclass(slots=True)
class Person:
    """Somebody whose cells recur: staff, or a partner from outside."""

    first: str
    last: str
    name: Text
    email: Email
    phone: Phone
    item_id: int = 0
    team: int = 1


@dataclass(slots=True)
class Customer:
    name: Text
    email: Email | None
    phone: Phone | None
    notes: Text | None
    address: Text | None


@dataclass(slots=True)
class Company:
    """Everything that the items draw from."""

    rng: random.Random
    now: int
    staff: list[Person] = field(default_factory=list)
    partners: list[Person] = field(default_factory=list)
    customers: list[Customer] = field(default_factory=list)
    insurers: list[tuple[Text, Phone, Email]] = field(default_factory=list)
    firms: list[tuple[Text, Email, Phone]] = field(default_factory=list)
    storms: list[Date] = field(default_factory=list)

    @property
    def today(self) -> date:
        return datetime.fromtimestamp(self.now, UTC).date()

    def maybe(self, share: float) -> bool:
        return self.rng.random() < share

    def phone(self, typed: bool = True) -> Phone:
        """A number of the US; people type it in several ways."""
        rng = self.rng
        area, line = AREA_CODES[int(rng.random() * len(AREA_CODES))], int(rng.random() * 10_000)
        if not typed or rng.random() < 0.8:
            return Phone(f"1{area}555{line:04d}", "US", self.now)
        form = ("({}) 555-{:04d}", "{}-555-{:04d}", "+1 {} 555 {:04d}", "{}555{:04d}")[int(rng.random() * 4)]
        return Phone(form.format(area, line), "US", self.now)

    def name(self) -> tuple[str, str]:
        rng = self.rng
        last = LAST_NAMES[int(rng.random() * len(LAST_NAMES))].replace("_", " ")
        return FIRST_NAMES[int(rng.random() * len(FIRST_NAMES))], last

    def email(self, address: str, label: str | None = None) -> Email:
        return Email(address, address if label is None else label, self.now - 90 * DAY_S)

    def address(self) -> Text | None:
        """Mostly `123 Main St, Denver, CO 80202`."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.1:
            return None
        if kind < 0.13:
            return Text(rng.choice(UNPARSED_ADDRESSES))
        city, state, zip_code = CITIES[int(rng.random() * len(CITIES))]
        street = f"{int(rng.random() * 9800) + 100} {STREETS[int(rng.random() * len(STREETS))]}"
        if kind < 0.2:
            street += f" {('Apt', 'Unit', '#')[int(rng.random() * 3)]} {int(rng.random() * 300) + 1}"
        if kind < 0.28:
            return Text(f"{street} {city} {state} {zip_code}")
        return Text(f"{street}, {city}, {state} {zip_code}")


def found(company: Company, staff: int) -> None:
    """People, firms and storms."""
    rng = company.rng
    company.staff = [_person(company, i, "summitroofing.example") for i in range(staff)]
    for i, person in enumerate(company.staff):
        person.item_id = _FIRST_STAFF_ID + 11 * i
        person.team = TEAM_LABELS[i % len(TEAM_LABELS)]
    company.partners = [_person(company, i, "partners.example") for i in range(40)]
    for i, insurer in enumerate(INSURERS):
        address = company.email(f"claims@{slug(insurer)}.example", "Claims desk" if i % 4 == 0 else None)
        company.insurers.append((Text(insurer), company.phone(typed=False), address))
    for firm in LAW_FIRMS:
        company.firms.append((Text(firm), company.email(f"office@{slug(firm)}.example"), company.phone()))
    first = company.today - timedelta(days=HISTORY_DAYS)
    for _ in range(12):
        company.storms.append(Date(str(first + timedelta(days=rng.randrange(HISTORY_DAYS - 30))), "", company.now))


def _person(company: Company, number: int, domain: str) -> Person:
    first, last = company.name()
    local = f"{first[0]}{slug(last)}{number}".lower().encode("ascii", "ignore").decode()
    return Person(
        first, last, Text(f"{first} {last}"), company.email(f"{local}@{domain}"), company.phone(typed=number % 5 == 0)
    )


def next_customer(company: Company, number: int) -> Customer:
    """A new customer, or one in seven times a known one: then about a quarter of the projects share theirs."""
    rng = company.rng
    if company.customers and rng.random() < 0.14:
        known = company.customers[int(rng.random() * len(company.customers))]
        if rng.random() < 0.4:
            return Customer(known.name, known.email, known.phone, known.notes, company.address())
        return known
    first, last = company.name()
    email: Email | None = None
    if rng.random() < 0.85:
        local = f"{first}.{slug(last)}{number}".lower().encode("ascii", "ignore").decode()
        placeholder = rng.random() < 0.04
        email = company.email(
            rng.choice(PLACEHOLDER_EMAILS) if placeholder else f"{local}@mail.example",
            f"{first} {last}" if rng.random() < 0.15 else None,
        )
    notes = Text(NOTES[int(rng.random() * len(NOTES))]) if rng.random() < 0.4 else None
    phone = company.phone() if rng.random() < 0.85 else None
    customer = Customer(Text(f"{first} {last}"), email, phone, notes, company.address())
    company.customers.append(customer)
    return customer


def some_files(company: Company, name: str) -> Files:
    """One to three entries; most are uploads, a few links, documents and assets that can no longer be read."""
    rng = company.rng
    entries = []
    for i in range(1 + int(rng.random() * rng.random() * 4)):
        draw = rng.random()
        asset_id = 900_000_000 + int(rng.random() * 10**8)
        title = name if i == 0 else f"photo {i}.jpg"
        at = company.now - int(rng.random() * 400) * DAY_S
        kind: FileKind = "asset" if draw < 0.92 else "link" if draw < 0.96 else "doc" if draw < 0.98 else "invalid"
        entries.append(File(asset_id, title, kind, int(rng.random() * 5_000_000), at))
    return Files(tuple(entries))


def slug(text: str) -> str:
    return "".join(char for char in text.lower() if char.isascii() and char.isalnum())
