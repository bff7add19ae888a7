"""People edit both sides at random and both commands run in any order, with trouble on the wire: no edit is lost,
nothing is doubled, nothing comes back as an echo, and both sides end up the same.

SOAK_EXAMPLES=500 runs that many histories instead of the few that every test run has time for.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from psycopg2 import extensions

from sandbox import STAFF_BOARD_ID
from tests.support.both_oracle import RECORDS, Ledger, Scene, Seen, scene, seen
from tests.support.company import PUSH, Company, Ended
from tests.support.histories import (
    ANYBODYS,
    EMAILS,
    LABELS,
    NAMES,
    NOTES,
    ODD_PHONES,
    PHONES,
    SOAK,
    STAFF_EMAILS,
    STAFF_POOL,
    TEAMS,
    History,
    boards,
    picks,
    run_histories,
)
from tests.support.oracle import BOARD_IDS, digest
from tests.support.servers import Keywords
from tests.support.telling import untrue

PULL_GUARDS = ("--accept-shrink", "--max-delete", "1000", "--max-change", "1000", "--yes")
PUSH_GUARDS = ("--accept-shrink", "--max-delete", "1000", "--max-change", "1000", "--max-create", "1000")

MONEY = ["100", "250.5"]
ADDRESSES = [
    "1 Main St, Denver, CO 80202",
    "1\u00a0Main St, Denver, CO 80202",
    "2 Oak Ave, Boulder, CO 80301",
    "5 Denver St, Denver, CO 80202 Apt 2",
    "7 Elm St, Boulder, CO 80301 (back door)",
    "Nowhere",
]
LINKED = ["https://jobs.example/1", "https://jobs.example/2"]
COMPANIES = ["Allstate", "State Farm", "Allstate+", "++"]
DATES = ["2026-04-30", "2026-05-01"]

POOLS: dict[str, dict[str, tuple[str, list[str]]]] = {
    "master": {
        "text95__1": ("text", ["Approved", "Completed", "Beyond the list"]),
        "text01__1": ("text", ["Roof A", "Roof B"]),
        "text40__1": ("text", NOTES),
        "numbers0": ("money", MONEY),
        "claim_number__1": ("text", ["C-1", "C-2"]),
        "link__1": ("link", LINKED),
        "text65__1": ("text", NAMES),
        "email4__1": ("email", [*EMAILS, "none@none.example"]),
        "phone_1__1": ("phone", [*PHONES, *ODD_PHONES]),
        "text43__1": ("text", NOTES),
        "dup__of_job_address0__1": ("text", ADDRESSES),
        LABELS["master"]: ("status", TEAMS),
        "partner_name__1": ("text", NAMES),
        "text19__1": ("text", NAMES),
        "email6__1": ("email", STAFF_EMAILS),
        "phone_13__1": ("phone", PHONES),
        "job_est_1_name__1": ("text", NAMES),
        "email0__1": ("email", [*STAFF_EMAILS, "ann@mail.example"]),
        "text22__1": ("text", ["Ann", "Bob"]),
        "text49__1": ("text", ["Lee", "Roe"]),
        "email5__1": ("email", STAFF_EMAILS),
        "jp_pa_law_name__1": ("text", ["Firm One", "Firm Two"]),
        "jp_pa_law_phone__1": ("phone", PHONES),
        "dup__of_text0__1": ("text", ["P-1", "p1", "P-2"]),
        "text31__1": ("text", COMPANIES),
        "phone_132__1": ("phone", [*PHONES, *ODD_PHONES]),
        "date_19__1": ("date", DATES),
    },
    "staff": STAFF_POOL,
}
TYPED: list[tuple[str, str, list[str]]] = [
    ("projects", "description", [*NOTES, " call first "]),
    ("projects", "estimated_value", MONEY),
    ("projects", "current_stage", ["Approved", "Completed"]),
    ("projects", "claim_number", ["C-1", "C-2", ""]),
    ("projects", "item_name", ["Job X", "Job Y"]),
    ("projects", "name", ["Roof A", "Roof B"]),
    ("projects", "link", LINKED),
    ("customers", "name", [*NAMES, "  Ann Lee "]),
    ("customers", "email", [*EMAILS, "no address", " bob@mail.example"]),
    ("customers", "phone", [*PHONES, *ODD_PHONES, "123", "(+44) 20 7946 0958"]),
    ("customers", "notes", [*NOTES, "", "  "]),
    ("properties", "address", ADDRESSES),
    ("properties", "city", ["Denver", "Boulder"]),
    ("properties", "zip", ["80202", "80301"]),
    ("users", "name", NAMES),
    ("users", "first_name", ["Ann", "Bob"]),
    ("users", "phone", PHONES),
    ("users", "email", STAFF_EMAILS),
    ("insurances", "company_name", COMPANIES),
    ("insurances", "company_phone", [*PHONES, *ODD_PHONES]),
    ("pa_law", "name", ["Firm One", "Firm Two"]),
    ("pa_law", "phone", PHONES),
    ("sales_teams", "name", [*TEAMS, "No such label"]),
    ("storms", "date_of_loss", DATES),
]
POINTED = [
    ("customer_id", "customers"),
    ("project_manager_id", "users"),
    ("insurance_id", "insurances"),
    ("sales_team_id", "sales_teams"),
]
PULLS: list[tuple[str, ...]] = [
    (),
    (),
    (),
    ("--full",),
    ("--limit", "2"),
    ("--board", "master"),
    ("--board", "staff"),
    ("--use-cache",),
]
PUSHES: list[tuple[str, ...]] = [
    (),
    (),
    (),
    ("--limit", "2"),
    ("--board", "master"),
    ("--board", "staff"),
    ("--propagate-deletes",),
    ("--allow-fanout",),
    ("--retry-dead",),
]
POLICIES = [None, None, None, "pg", "monday", "manual"]
TROUBLES = [
    ("gateway_timeout", {"effect": True}),
    ("gateway_timeout", {}),
    ("reset_after", {}),
    ("reset_before", {}),
    ("reset_mid_body", {}),
    ("rate_limited", {}),
    ("locked", {}),
    ("conflict", {"effect": True}),
    ("internal_error", {}),
    ("internal_error", {"effect": True}),
    ("internal_error_200", {}),
    ("too_many_requests", {}),
    ("cell_unread", {}),
]
ANYWHERE = ["gateway_timeout", "rate_limited", "stale_read"]


class Histories(History):
    """People on both sides, both commands and the weather."""

    pools = POOLS

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(anybodys=ANYBODYS)
        self.marked = False
        self.unseen: dict[tuple[int, str], str | None] = {}
        """What items said in a column before it was retyped."""

    @initialize(
        jobs=st.integers(2, 4), people=st.integers(1, 2), marker=st.booleans(), loud=st.booleans(), data=st.data()
    )
    def begin(self, jobs: int, people: int, marker: bool, loud: bool, data: st.DataObject) -> None:
        self.own_rules(loud=loud)
        for number in range(people):
            self._create("staff", f"Rep {number}", self._filled("staff", data))
        for number in range(jobs):
            self._create("master", f"Job {number}", self._filled("master", data))
        assert self._pull("--full") in (0, 5)
        self.marked = marker
        if marker:
            assert self.company.push("--setup-marker").code == 0

    def teardown(self) -> None:
        try:
            if self.ledger.last is not None:
                self.quiesce(pull_first=True)
            assert self.company.told_secrets() == []
        finally:
            self.end()

    def column_changed(self, board: str, column: str, do: Callable[[], object]) -> None:
        """In the ledger it is an edit of each item; of a column that is retyped for a while, when it is back."""
        items = [item for state in ("active", "archived", "deleted") for item in self._items(board, state)]
        before = {item: self._seen(board, item) for item in items}
        do()
        for item, was in before.items():
            now = self._seen(board, item)
            if column in self.spoiled:
                self.unseen.setdefault((item, column), was.cells.get(column))
            elif (item, column) in self.unseen:
                was = _with(now, column, self.unseen.pop((item, column)))
                self.ledger.on_board(item, was, now)
            else:
                self.ledger.on_board(item, was, now)

    def columns_seen(self, board: str) -> None:
        self.ledger.blind = {*self.spoiled}

    # People at the boards

    @rule(board=boards, pick=picks, data=st.data())
    def edit(self, board: str, pick: int, data: st.DataObject) -> None:
        names = data.draw(st.lists(st.sampled_from(self.columns(board)), min_size=1, max_size=3, unique=True))
        values = {n: data.draw(st.sampled_from([*POOLS[board][n][1], None])) for n in names}
        if item := self.pick(self._items(board), pick):
            self._type(board, item, values)

    @rule(pick=picks, email=st.sampled_from(EMAILS))
    def edit_the_key(self, pick: int, email: str) -> None:
        if item := self.pick(self._items("master"), pick):
            self._type("master", item, {"email4__1": email})

    @rule(one=picks, other=picks)
    def swap_emails(self, one: int, other: int) -> None:
        first, second = self.pick(self._items("master"), one), self.pick(self._items("master"), other)
        if first and second:
            emails = [self._seen("master", item).cells.get("email4__1") for item in (first, second)]
            self._type("master", first, {"email4__1": emails[1]})
            self._type("master", second, {"email4__1": emails[0]})

    @rule(board=boards, pick=picks, name=st.sampled_from(["Renamed", "Renamed again", "Job X"]))
    def rename(self, board: str, pick: int, name: str) -> None:
        if item := self.pick(self._items(board), pick):
            if not self.marked:
                self.ledger.take(item)
            self._person(board, item, lambda: self.sandbox.rename(item, name))

    @rule(board=boards, data=st.data())
    def create(self, board: str, data: st.DataObject) -> None:
        values = self._filled(board, data)
        if len(self._items(board)) < 7:
            self._create(board, "New", values)

    @rule(board=boards, pick=picks, state=st.sampled_from(["archived", "deleted"]))
    def remove(self, board: str, pick: int, state: str) -> None:
        if item := self.pick(self._items(board), pick):
            self.ledger.take(item)
            do = self.sandbox.archive if state == "archived" else self.sandbox.delete
            self._person(board, item, lambda: do(item))

    @rule(board=boards, pick=picks)
    def restore(self, board: str, pick: int) -> None:
        gone = [item for state in ("archived", "deleted") for item in self._items(board, state)]
        if item := self.pick(gone, pick):
            self._person(board, item, lambda: self.sandbox.restore(item))

    @rule(board=boards, pick=picks)
    def move(self, board: str, pick: int) -> None:
        """To the other board: it is nobody's project any more, or a new one. One that comes back before a run has seen
        it go was never away."""
        known = self.ledger.last.items if self.ledger.last is not None else {}
        there = [item for item in self._items(board) if item not in known or known[item].board == board]
        if item := self.pick(there, pick):
            other = "staff" if board == "master" else "master"
            before = self._seen(board, item)
            self.ledger.take(item)
            self.sandbox.advance(1)
            self.sandbox.move_to_board(item, BOARD_IDS[other])
            self.ledger.moved(item, before, self._seen(other, item))

    # People in SQL

    @rule(edit=st.sampled_from(TYPED), pick=picks, value=picks, empty=st.sampled_from([False] * 5 + [True]))
    def edit_row(self, edit: tuple[str, str, list[str]], pick: int, value: int, empty: bool) -> None:
        table, column, pool = edit
        if row := self._row(table, pick):
            self._set(table, row, column, None if empty else pool[value % len(pool)])

    @rule(pointed=st.sampled_from(POINTED), pick=picks, onto=picks, empty=st.sampled_from([False] * 3 + [True]))
    def repoint_project(self, pointed: tuple[str, str], pick: int, onto: int, empty: bool) -> None:
        column, table = pointed
        project, target = self._row("projects", pick), self._row(table, onto)
        if project and (empty or target):
            self._set("projects", project, column, None if empty else target)

    @rule(pick=picks, onto=picks)
    def repoint_person(self, pick: int, onto: int) -> None:
        person, team = self._row("users", pick), self._row("sales_teams", onto)
        if person and team:
            self._set("users", person, "sales_team_id", team)

    @rule(name=st.sampled_from(NAMES), customer=st.booleans(), pick=picks)
    def insert_project(self, name: str, customer: bool, pick: int) -> None:
        owner = self._row("customers", pick) if customer else None
        if len(self._items("master")) < 8:
            self._insert("projects", {"item_name": name, "description": "from SQL", "customer_id": owner})

    @rule(first=st.sampled_from(["Ann", "Bob"]), email=st.sampled_from([*STAFF_EMAILS, "new@roofs.example"]))
    def insert_person(self, first: str, email: str) -> None:
        if len(self._items("staff")) < 5:
            values = {"first_name": first, "last_name": "Lee", "name": f"{first} Lee", "email": email}
            self._insert("users", {**values, "roles": "{Sales Staff}"})

    @rule(name=st.sampled_from(NAMES), email=st.sampled_from(EMAILS))
    def insert_customer(self, name: str, email: str) -> None:
        self._insert("customers", {"name": name, "email": email})

    @rule(pick=picks)
    def delete_project(self, pick: int) -> None:
        if row := self._row("projects", pick):
            self._delete("projects", row)

    @rule(pick=picks)
    def delete_customer(self, pick: int) -> None:
        if row := self._row("customers", pick):
            for table in ("projects", "properties", "policies"):
                for (pointing,) in self.rows(f"SELECT id::text FROM {table} WHERE customer_id = %s ORDER BY id", row):
                    self._set(table, pointing, "customer_id", None)
            self._delete("customers", row)

    @rule(one=picks, other=picks)
    def exchange_item_ids(self, one: int, other: int) -> None:
        live = self._projects(*self._items("master"))
        first, second = self.pick(live, one), self.pick(live, other)
        if first is None or second is None or first == second or self._unfinished():
            return
        rows = {row: self._values("projects", row) for row, _item in (first, second)}
        for row, item in ((first[0], None), (second[0], first[1]), (first[0], second[1])):
            self.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, row)
        self.ledger.exchange(rows, {first[0]: second[1], second[0]: first[1]})
        self.count("ids moved")

    @rule(pick=picks)
    def load_a_project_anew(self, pick: int) -> None:
        """Under another uuid."""
        if (found := self.pick(self._projects(*self._items("master")), pick)) and not self._unfinished():
            new = str(uuid.uuid5(uuid.NAMESPACE_OID, f"anew {found[0]}"))
            self.sql("UPDATE projects SET id = %s WHERE id = %s", new, found[0])
            self.ledger.renew("projects", found[0], new)
            self.count("ids moved")

    @rule(pick=picks, gone=st.booleans())
    def empty_an_item_id(self, pick: int, gone: bool) -> None:
        items = (
            self._items("master")
            if not gone
            else [*self._items("master", "archived"), *self._items("master", "deleted")]
        )
        found = self.pick(self._projects(*items), pick)
        if found and not self._unfinished() and self._is_remembered(*found):
            self.sql("UPDATE projects SET monday_item_id = NULL WHERE id = %s", found[0])
            self.count("ids moved")

    @rule(pick=picks, whole=st.booleans())
    def bring_a_project_back(self, pick: int, whole: bool) -> None:
        """It was marked since its item is gone; with its id emptied it is to become an item again."""
        marked = self.rows("SELECT id::text FROM projects WHERE archived_at IS NOT NULL ORDER BY created_at, id")
        if (found := self.pick(marked, pick)) and not self._unfinished():
            self.sql("UPDATE projects SET archived_at = NULL WHERE id = %s", found[0])
            if whole:
                self.sql("UPDATE projects SET monday_item_id = NULL WHERE id = %s", found[0])
            if self.rows("SELECT FROM projects WHERE id = %s AND monday_item_id IS NULL", found[0]):
                self.ledger.bring_back(found[0])
            self.count("ids moved")

    # The commands

    @rule(read=st.sampled_from(PULLS), policy=st.sampled_from(POLICIES), rehearse=st.sampled_from([False, False, True]))
    def pull(self, read: tuple[str, ...], policy: str | None, rehearse: bool) -> None:
        arguments = [*read, *(("--on-conflict", policy) if policy else ())]
        if rehearse:
            self._pull(*arguments, "--test")
        self._pull(*arguments)

    @rule(adopt=st.sampled_from([(), (), ("--adopt", "monday"), ("--adopt", "pg")]))
    def begin_afresh(self, adopt: tuple[str, ...]) -> None:
        """What differs at that moment is nobody's edit any more, but with --adopt all of one side's."""
        if not self._unfinished():
            self.ledger.forget(adopts=bool(adopt))
            self._pull("--resync", *adopt)

    @rule(kind=st.sampled_from([*ANYWHERE, "page_drift"]), nth=st.integers(1, 4), full=st.booleans())
    def pull_in_trouble(self, kind: str, nth: int, full: bool) -> None:
        self.sandbox.fault(kind, match="read", nth=nth, times=1, retry_after=0)
        self.count("faults")
        self._pull(*(("--full",) if full else ()))
        self.sandbox.clear_faults()

    @rule(
        how=st.sampled_from(PUSHES),
        policy=st.sampled_from(POLICIES),
        rehearse=st.booleans(),
        repeat=st.booleans(),
    )
    def push(self, how: tuple[str, ...], policy: str | None, rehearse: bool, repeat: bool) -> None:
        arguments = [*how, *(("--on-conflict", policy) if policy else ())]
        if self._unfinished():
            self._push(*arguments)
            return
        rehearsal = self._rehearse(*arguments) if rehearse else None
        ended = self._push(*arguments)
        if rehearsal is not None and ended.code != 7:
            wanted, done = rehearsal.report, ended.report
            assert (wanted["plan"], wanted["items"]) == (done["plan"], done["items"])
        if repeat and ended.code in (0, 5) and "--limit" not in how:
            assert self._mutations(lambda: self._push(*arguments)) == 0, "a second push sends something"

    @rule(trouble=st.sampled_from(TROUBLES), nth=st.integers(1, 3), times=st.sampled_from([1, 1, 2, 20]))
    def push_in_trouble(self, trouble: tuple[str, dict[str, bool]], nth: int, times: int) -> None:
        kind, how = trouble
        self.sandbox.fault(kind, match="mutation", nth=nth, times=times, retry_after=0, **how)
        self.count("faults")
        self._push()
        self.sandbox.clear_faults()

    @rule(kind=st.sampled_from(ANYWHERE), nth=st.integers(1, 3))
    def push_half_blind(self, kind: str, nth: int) -> None:
        self.sandbox.fault(kind, match="read", nth=nth, times=1, retry_after=0)
        self.count("faults")
        self._push()
        self.sandbox.clear_faults()

    @rule(minutes=st.sampled_from([1, 30, 40]))
    def time_passes(self, minutes: int) -> None:
        self._age(minutes)

    @precondition(lambda self: SOAK > 0)  # a process of its own takes as long as ten other steps
    @rule(seed=picks)
    def kill_a_push(self, seed: int) -> None:
        before = self._scene()
        with self.company.start("--json", *self.skips(), *PUSH_GUARDS, program=PUSH) as process:
            asked = self.sandbox.counters()["requests"]
            while process.poll() is None and self.sandbox.counters()["requests"] == asked:
                time.sleep(0.005)
            time.sleep(random.Random(seed).random() * 0.15)
            process.kill()
        self.count("kills")
        time.sleep(0.05)  # monday finishes what it was asked, whoever hears the answer
        self.terminate_others()
        self._judge(before)

    @rule(pull_first=st.booleans())
    def quiesce(self, pull_first: bool) -> None:
        """Nobody edits any more: within three rounds nothing moves, and both sides agree."""
        self._settle_journal()
        for round_ in range(4):
            moved = 0
            for run in (self._pull_well, self._push_well) if pull_first else (self._push_well, self._pull_well):
                before = self._scene()
                moved += self._mutations(run)
                moved += self._scene().rows.versions != before.rows.versions
            if not moved:
                break
            assert round_ < 3, "three rounds, and something still moves"
        wrong = self.ledger.final(self._scene())
        assert wrong == [], "\n".join(wrong)
        self._prove()

    def _prove(self) -> None:
        """A proof of its own finds nothing that nobody can explain."""
        if self.skips():  # it compares whole boards
            return
        proved = self.company.window("verify", "--json", "--all")
        unexplained = [told for told in proved.report["rows"] if told["cause"] == "unexplained"]
        assert (unexplained, proved.code) == ([], 0)

    # How a run is looked at

    def _scene(self) -> Scene:
        return scene(self.connection, self.sandbox, self.spoiled)

    def _judge(self, before: Scene, *, propagated: bool = False) -> None:
        wrong = self.ledger.check(before, self._scene(), propagated=propagated)
        assert wrong == [], "\n".join(wrong)

    def _hear(self, before: Scene, ended: Ended) -> None:
        """An edit that lost is news of one run, and an open conflict stays one line of the log."""
        if ended.code in (0, 5):
            wrong = [*untrue(before.rows.conflicts, self._scene().rows.conflicts, ended)]
            assert wrong == [], "\n".join(wrong)

    def _pull(self, *arguments: str) -> int:
        before = self._scene()
        self.sandbox.advance(2)
        self.count("runs")
        ended = self.company.sync(*arguments, *self.skips(), *PULL_GUARDS)
        assert ended.code in ((0, 5, 7) if self._unfinished() else (0, 5)), ended.err
        self._judge(before)
        if "--test" not in arguments and "--resync" not in arguments:
            self._hear(before, ended)
        return ended.code

    def _pull_well(self) -> None:
        assert self._pull() in (0, 5)

    def _push(self, *arguments: str) -> Ended:
        before = self._scene()
        self.sandbox.advance(2)
        self.count("runs")
        ended = self.company.push(*arguments, *self.skips(), *PUSH_GUARDS)
        assert ended.code in (0, 5, 7), (ended.code, ended.err)
        self._judge(before, propagated="--propagate-deletes" in arguments or before.unfinished)
        self._hear(before, ended)
        return ended

    def _push_well(self) -> None:
        ended = self._push("--allow-fanout")
        assert ended.code in (0, 5), ended.err

    def _rehearse(self, *arguments: str) -> Ended:
        before = digest(self.connection), self.sandbox.digest()
        ended = self.company.push(*arguments, *self.skips(), *PUSH_GUARDS, "--test")
        assert ended.code in (0, 5), ended.err
        assert (digest(self.connection), self.sandbox.digest()) == before
        return ended

    def _mutations(self, run: Callable[[], object]) -> int:
        before = int(self.sandbox.counters()["mutation_requests"])
        run()
        return int(self.sandbox.counters()["mutation_requests"]) - before

    def _unfinished(self) -> bool:
        return bool(self.rows("SELECT FROM monday_sync.sync_batch"))

    def _settle_journal(self) -> None:
        """A run after trouble settles what it can; what is in doubt takes 40 minutes."""
        if self._unfinished():
            self._push()
        if self._unfinished():
            self._age(40)
            self._push_well()
        assert not self._unfinished()

    def _age(self, minutes: int) -> None:
        self.sandbox.advance(minutes * 60)
        self.sql("UPDATE monday_sync.sync_batch SET sent_at = sent_at - %s * interval '1 minute'", minutes)

    # Small things

    def _filled(self, board: str, data: st.DataObject) -> dict[str, str | None]:
        """What a new item says. Drawn whether there will be one or not: what a kill has left is not the same twice, and
        Hypothesis wants the same draws."""
        filled = data.draw(st.lists(st.sampled_from(self.columns(board)), min_size=1, max_size=9, unique=True))
        return {n: data.draw(st.sampled_from(POOLS[board][n][1])) for n in filled}

    def _create(self, board: str, name: str, values: dict[str, str | None]) -> None:
        self.sandbox.advance(1)
        item = self.sandbox.create(BOARD_IDS[board], name, self.cells(board, values), force=True)
        self.ledger.on_board(item, None, self._seen(board, item))

    def _type(self, board: str, item: int, values: dict[str, str | None]) -> None:
        cells = self.cells(board, values)
        self._person(board, item, lambda: self.sandbox.edit(item, cells, force=True))

    def _person(self, board: str, item: int, do: Callable[[], object]) -> None:
        before = self._seen(board, item)
        self.sandbox.advance(1)
        do()
        self.ledger.on_board(item, before, self._seen(board, item))

    def _seen(self, board: str, item: int) -> Seen:
        return seen(self.sandbox, board, item)

    def _items(self, board: str, state: str = "active") -> list[int]:
        return sorted(self.sandbox.item_ids(BOARD_IDS[board], state))

    def _row(self, table: str, pick: int) -> str | None:
        found = self.pick(self.rows(f"SELECT id::text FROM {table} ORDER BY created_at, id"), pick)
        return found[0] if found else None

    def _projects(self, *items: int) -> list[tuple[str, int]]:
        """(row, item) of projects that hold one of these ids, which a run has met."""
        return self.rows(
            "SELECT p.id::text, p.monday_item_id FROM projects p JOIN monday_sync.sync_item i"
            " ON i.item_id = p.monday_item_id WHERE p.monday_item_id = ANY(%s) AND i.board_id = %s ORDER BY i.item_id",
            list(items), BOARD_IDS["master"],
        )  # fmt: skip

    def _is_remembered(self, row: str, item: int) -> bool:
        """Whether a run has met the item with this row: else an emptied id says nothing of whose row it was."""
        link = "SELECT FROM monday_sync.sync_link WHERE item_id = %s AND role = 'project' AND row_id = %s"
        return bool(self.rows(link, item, row))

    def _values(self, table: str, row: str) -> dict[str, str | None]:
        found = "SELECT jsonb_object_agg(key, value) FROM jsonb_each_text((SELECT to_jsonb(t) FROM {} t WHERE id = %s))"
        ((values,),) = self.rows(found.format(table), row)
        return dict(values)

    def _set(self, table: str, row: str, column: str, value: str | None) -> None:
        ((was,),) = self.rows(f"SELECT {column}::text FROM {table} WHERE id = %s", row)
        self.sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", value, row)
        self.ledger.in_row(table, row, column, was, value)

    def _insert(self, table: str, values: dict[str, str | None]) -> None:
        row = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{table}{self.ledger.time}"))
        columns = ", ".join(values)
        self.sql(f"INSERT INTO {table} (id, {columns}) VALUES (%s{', %s' * len(values)})", row, *values.values())
        self.ledger.insert(table, row, {name: value for name, value in values.items() if name != "roles"})
        if table in {of for _role, of in RECORDS.values()}:
            self.ledger.inserted.add(row)

    def _delete(self, table: str, row: str) -> None:
        self.sql(f"DELETE FROM {table} WHERE id = %s", row)
        self.ledger.delete(row)


def _with(item: Seen, column: str, text: str | None) -> Seen:
    """The item, saying something else in a column."""
    rest = {name: said for name, said in item.cells.items() if name != column}
    return replace(item, cells=rest | ({column: text} if text else {}))


def test_both_sides_edited_at_random_end_up_the_same(
    admin: extensions.connection, server: Keywords, tmp_path: Path
) -> None:
    run_histories(Histories, 15, admin, server, tmp_path)


# What it found, each as the shortest way there


def test_a_slot_that_shows_an_empty_row_keeps_it(synced: Company) -> None:
    """The push cleared its cells, which is nobody's edit: the next read must not take the foreign key away."""
    first, second = synced.sandbox.item_ids()[:2]
    synced.sql("UPDATE customers SET name = NULL, email = NULL")
    assert synced.push("--max-change", "10").code == 0
    pointing = synced.project(first, "customer_id")
    synced.sandbox.edit(first, {"text40__1": "Edited"})
    synced.sandbox.edit(second, {"text40__1": "Edited"})
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    assert pointing is not None
    assert synced.project(first, "customer_id") == pointing


def test_a_person_who_is_to_join_the_staff_board_keeps_that_role(synced: Company) -> None:
    """He is named on a project before the push that makes his item."""
    item = synced.sandbox.item_ids()[0]
    synced.sql(
        "INSERT INTO users (name, first_name, last_name, email, roles)"
        " VALUES ('New Man', 'New', 'Man', 'new@roofs.example', '{Sales Staff}')"
    )
    email = {"email": "new@roofs.example", "text": "new@roofs.example"}
    synced.sandbox.edit(item, {"email0__1": email, "job_est_1_name__1": "New Man"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    roles = synced.value("SELECT roles FROM users WHERE email = 'new@roofs.example'")
    assert roles == ["Estimator", "Sales Staff"]
    assert synced.push("--max-create", "1").report["items"]["create"] == 1


def test_a_part_of_a_name_is_an_edit_wherever_the_person_is_put(synced: Company) -> None:
    """He is put on one project while another one shows him: what his name was stands in the other's base alone."""
    first, second = synced.sandbox.item_ids()[:2]
    synced.sandbox.edit(second, {"text19__1": "Ann Lee"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    synced.sql("UPDATE users SET first_name = 'Anna' WHERE name = 'Ann Lee'")
    synced.sql(
        "UPDATE projects p SET project_manager_id = u.id FROM users u"
        " WHERE u.name = 'Ann Lee' AND p.monday_item_id = %s",
        first,
    )
    assert synced.push().code == 0
    shown = [synced.sandbox.item(item)["cells"]["text19__1"]["text"] for item in (first, second)]
    assert shown == ["Anna Lee", "Anna Lee"]


def test_a_project_that_was_moved_while_its_item_was_away_is_told_when_it_is_back(synced: Company) -> None:
    first, second = synced.sandbox.item_ids()[:2]
    synced.sandbox.archive(first)
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    synced.sql(
        "UPDATE projects SET customer_id = (SELECT customer_id FROM projects WHERE monday_item_id = %s)"
        " WHERE monday_item_id = %s",
        second,
        first,
    )
    assert synced.push().report["items"]["update"] == 0
    synced.sandbox.restore(first)
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    assert synced.push().code == 0
    shown = [synced.sandbox.item(item)["cells"]["text65__1"]["text"] for item in (first, second)]
    assert shown == ["Owner 2", "Owner 2"]


def test_a_second_key_that_is_somebody_elses_is_reported(synced: Company) -> None:
    """A read of nothing but an item with the e-mail of one person and the other e-mail of another."""
    emails = [{"email": f"rep{n}@roofs.example", "text": f"rep{n}@roofs.example"} for n in (1, 2)]
    synced.sandbox.create(STAFF_BOARD_ID, "Both", {"email__1": emails[0], "email7": emails[1]})
    synced.sandbox.advance(60)
    ended = synced.sync()
    assert ended.code == 5, ended.err
    assert ended.report["would_merge"] == 1


def test_a_new_person_is_told_apart_from_one_whose_email_is_a_thirds_key(synced: Company) -> None:
    """The e-mail is the key of an estimator without an item; one new person with it got an item, the next one did not:
    no push after that may make it.
    """
    email = {"email": "new@roofs.example", "text": "new@roofs.example"}
    synced.sandbox.edit(synced.sandbox.item_ids()[0], {"email0__1": email, "job_est_1_name__1": "Cem Kaya"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    for name in ("Ann", "Bob"):
        synced.sql(
            "INSERT INTO users (name, first_name, last_name, email, roles)"
            " VALUES (%s || ' Lee', %s, 'Lee', 'New@roofs.example', '{Sales Staff}')", name, name,
        )  # fmt: skip
    made = [synced.push("--max-create", "5").report["items"]["create"] for _ in range(3)]
    assert made == [1, 0, 0]
    assert synced.push("--max-create", "5").report["would_merge"] == 1


def test_a_new_item_gets_the_column_that_was_left_alone_when_it_is_back(synced: Company) -> None:
    place = STAFF_BOARD_ID, "text6"
    synced.sandbox.remove_column(*place)
    synced.sql(
        "INSERT INTO users (name, first_name, last_name, email, shirt_size, roles)"
        " VALUES ('Ann Lee', 'Ann', 'Lee', 'ann@roofs.example', 'XL', '{Sales Staff}')"
    )
    assert synced.push("--max-create", "1", "--skip-column", "text6").report["items"]["create"] == 1
    (item,) = synced.sandbox.find(STAFF_BOARD_ID, "Ann Lee")
    synced.sandbox.restore_column(*place)
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.push().code == 0
    assert synced.sandbox.item(item)["cells"]["text6"]["text"] == "XL"
    assert synced.value("SELECT shirt_size FROM users WHERE monday_item_id = %s", item) == "XL"


NAME, PHONE = "text65__1", "phone_1__1"


def test_what_was_emptied_loses_to_a_new_item_only_with_a_trace(synced: Company) -> None:
    """It fills what is empty, but this is an edit of somebody's which monday was not yet told of."""
    first = synced.sandbox.item_ids()[0]
    synced.sandbox.edit(first, {PHONE: {"phone": "2025550101", "countryShortName": "US"}})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    synced.sql("UPDATE customers SET phone = NULL WHERE name = 'Owner 1'")
    cells = {
        "email4__1": {"email": "owner1@mail.example", "text": "owner1@mail.example"},
        PHONE: {"phone": "2025550109", "countryShortName": "US"},
    }
    new = synced.sandbox.create(BOARD_IDS["master"], "New", cells)
    synced.sandbox.advance(60)
    assert synced.sync().code == 5  # it says what lost
    assert synced.value("SELECT phone FROM customers WHERE name = 'Owner 1'") == "2025550109"
    lost = "SELECT item_id, kept, lost_from, lost FROM monday_sync.sync_conflict"
    assert synced.sql(lost) == [(new, "2025550109", "postgres", None)]
    assert synced.push().code == 0
    assert synced.sandbox.item(first)["cells"][PHONE]["text"] == "2025550109"


@pytest.mark.parametrize("new", [False, True])
def test_a_cell_that_selects_a_person_does_not_fill_what_was_emptied(synced: Company, new: bool) -> None:
    """Neither one that selected him before, when its item is edited elsewhere, nor one that does for the first time."""
    first, second = synced.sandbox.item_ids()[:2]
    cells = {
        "email6__1": {"email": "rep1@roofs.example", "text": ""},
        "phone_13__1": {"phone": "2025550101", "countryShortName": "US"},
    }
    synced.sandbox.edit(first, cells)
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.value("SELECT phone FROM users WHERE email = 'rep1@roofs.example'") is not None
    synced.sql("UPDATE users SET phone = NULL WHERE email = 'rep1@roofs.example'")
    synced.sandbox.edit(second, cells) if new else synced.sandbox.edit(first, {"text40__1": "Edited"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.value("SELECT phone FROM users WHERE email = 'rep1@roofs.example'") is None
    assert synced.push().code == 0
    assert "phone_13__1" not in synced.sandbox.item(first)["cells"]


@pytest.mark.parametrize("edited", ["first", "second"])
def test_a_customer_who_is_made_anew_is_nobody_who_was_deleted(synced: Company, edited: str) -> None:
    """An item that showed the deleted row has none until it says something new; then another with the same joins it."""
    email = {"email": "ann@mail.example", "text": "ann@mail.example"}
    items = [
        synced.sandbox.create(BOARD_IDS["master"], name, {"email4__1": email, "text43__1": "call first"})
        for name in ("First", "Twin")
    ]
    second = synced.sandbox.create(BOARD_IDS["master"], "Second", {"text40__1": "A roof"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    ann = "(SELECT id FROM customers WHERE email = 'ann@mail.example')"
    synced.sql(f"UPDATE projects SET customer_id = NULL WHERE customer_id = {ann}")
    deleted = synced.sql(f"DELETE FROM customers WHERE id = {ann} RETURNING id::text")
    synced.sandbox.edit(
        *((second, {"email4__1": email}) if edited == "second" else (items[0], {PHONE: None, NAME: "Ann"}))
    )
    synced.sandbox.advance(60)
    assert synced.sync().outcome == 0
    found = synced.sql("SELECT id::text, email, notes FROM customers WHERE email = 'ann@mail.example'")
    assert found[0][0] != deleted[0][0]
    assert found[0][1:] == ("ann@mail.example", None if edited == "second" else "call first")
    query = "SELECT item_id FROM monday_sync.sync_link WHERE row_id = %s::uuid ORDER BY item_id"
    shown = [item for (item,) in synced.sql(query, found[0][0])]
    assert shown == ([second] if edited == "second" else items)


def test_an_old_view_of_an_item_on_another_board_tells_nobody(synced: Company) -> None:
    """The push takes it for gone; the edit is not told by that, and the next push carries it over."""
    (item, *_) = synced.sandbox.item_ids(STAFF_BOARD_ID)
    synced.sandbox.move_to_board(item, BOARD_IDS["master"])
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    synced.sql("UPDATE projects SET description = 'A roof' WHERE monday_item_id = %s", item)
    synced.sandbox.fault("stale_read", match="read")
    assert synced.push().report["items"]["update"] == 0
    synced.sandbox.clear_faults()
    assert synced.push().report["items"]["update"] == 1
    assert synced.sandbox.item(item)["cells"]["text40__1"]["text"] == "A roof"


def test_a_team_chosen_in_postgresql_is_written_down_when_its_item_changes_too(synced: Company) -> None:
    """His row had another team than his item when they met; he got the team of the item, and that item another."""
    first, _ = synced.sandbox.item_ids(STAFF_BOARD_ID)
    email = {"email": "rep3@roofs.example", "text": "rep3@roofs.example"}
    synced.sandbox.edit(first, {LABELS["staff"]: {"label": "Commercial"}})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    synced.sql(
        "INSERT INTO users (email, sales_team_id) SELECT 'rep3@roofs.example', id FROM sales_teams"
        " WHERE name = 'Commercial'"
    )
    synced.sandbox.create(STAFF_BOARD_ID, "Rep 3", {"email__1": email, LABELS["staff"]: {"label": "Retail"}})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    ((retail,),) = synced.sql("SELECT id::text FROM sales_teams WHERE name = 'Retail'")
    synced.sql("UPDATE users SET sales_team_id = %s WHERE email = 'rep3@roofs.example'", retail)
    synced.sandbox.rename_label(STAFF_BOARD_ID, LABELS["staff"], "Retail", "Night")
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 5
    lost = synced.sql("SELECT lost FROM monday_sync.sync_conflict WHERE field LIKE 'sales_team_id%%'", 0)
    assert [value.strip('"') for (value,) in lost] == [retail]
