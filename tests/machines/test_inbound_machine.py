"""Whatever people do on the boards and in SQL, in whatever order, and whatever goes wrong: no edit is lost, nothing is
doubled, a second run writes nothing, and a dry run is the truth.

SOAK_EXAMPLES=500 runs that many histories instead of the few that every test run has time for.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from psycopg2 import extensions

from sandbox import STAFF_BOARD_ID
from tests.support.company import Company, Ended
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
from tests.support.oracle import BAD, BOARD_IDS, Database, Item, Ledger, digest, look, text_of
from tests.support.servers import Keywords
from tests.support.telling import untrue

GUARDS_OFF = ("--accept-shrink", "--max-delete", "100")

POOLS: dict[str, dict[str, tuple[str, list[str]]]] = {
    "master": {
        "text95__1": ("text", ["Approved", "Completed", "Beyond the list"]),
        "text01__1": ("text", ["Roof A", "Roof B"]),
        "text40__1": ("text", [*NOTES, BAD]),
        "numbers0": ("money", ["100", "250.5", BAD]),
        "claim_number__1": ("text", ["C-1", "C-2"]),
        "text65__1": ("text", NAMES),
        "email4__1": ("email", [*EMAILS, "none@none.example", STAFF_EMAILS[0]]),
        "phone_1__1": ("phone", [*PHONES, *ODD_PHONES]),
        "text43__1": ("text", [*NOTES, BAD]),
        "dup__of_job_address0__1": (
            "text",
            [
                "1 Main St, Denver, CO 80202",
                "1\u00a0Main St, Denver, CO 80202",
                "1 main street Denver CO 80202",
                "5 Elm St, Denver, CO 80202 Apt 2",
                "Nowhere",
            ],
        ),
        LABELS["master"]: ("status", TEAMS),
        "text19__1": ("text", NAMES),
        "email6__1": ("email", STAFF_EMAILS),
        "phone_13__1": ("phone", PHONES),
        "job_est_1_name__1": ("text", NAMES),
        "email0__1": ("email", [*STAFF_EMAILS, "ann@mail.example"]),
        "jp_pa_law_name__1": ("text", ["Firm One", "Firm Two", "Firm-One", "...", "...."]),
        "jp_pa_law_phone__1": ("phone", PHONES),
        "dup__of_text0__1": ("text", ["P-1", "p1", "P-2"]),
        "text31__1": ("text", ["Allstate", "State Farm", "ALLSTATE.", "Allstate+", "**"]),
        "phone_132__1": ("phone", [*PHONES, *ODD_PHONES]),
        "date_19__1": ("date", ["2026-04-30", "2026-05-01"]),
    },
    "staff": STAFF_POOL | {"text6": ("text", ["M", "XL", BAD])},
}
SQL_EDITS = [
    ("customers", "phone", [*PHONES, *ODD_PHONES]),
    ("customers", "notes", NOTES),
    ("customers", "email", EMAILS[:4]),
    ("customers", "name", NAMES),
    ("projects", "description", NOTES),
    ("users", "phone", PHONES),
    ("insurances", "company_phone", [*PHONES, *ODD_PHONES]),
]
READS: list[tuple[str, ...]] = [(), (), (), ("--full",), ("--full",), ("--board", "master"), ("--board", "staff")]
TROUBLES = [
    "gateway_timeout",
    "rate_limited",
    "reset_mid_body",
    "truncated_json",
    "field_limit",
    "stale_read",
    "page_drift",
]


class Histories(History):
    """People, the command and the weather; the ledger says what has to come of it."""

    pools = POOLS

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(anybodys=ANYBODYS)

    @initialize(jobs=st.integers(3, 6), people=st.integers(1, 3), loud=st.booleans(), data=st.data())
    def begin(self, jobs: int, people: int, loud: bool, data: st.DataObject) -> None:
        self.own_rules(loud=loud)
        for number in range(people):
            self._create("staff", f"Rep {number}", data)
        for number in range(jobs):
            self._create("master", f"Job {number}", data)

    def teardown(self) -> None:
        try:
            if self.ledger.items:
                self._sync(("--full",), None, rehearse=True, repeat=True)
                assert self.sandbox.counters()["mutations"] == 0
        finally:
            self.end()

    def column_changed(self, board: str, column: str, do: Callable[[], object]) -> None:
        do()
        for item in self.ledger.items.values():
            if item.board == board:
                shown = self.sandbox.item(item.id)["cells"].get(column)
                text = text_of(shown) if shown is not None else ""
                item.cells.pop(column, None)
                if text:
                    item.cells[column] = BAD if text.isdigit() and len(text) > 15 else text

    def columns_seen(self, board: str) -> None:
        self.ledger.blind = {*self.spoiled}
        self.ledger.moves[board] += 1

    # People at the boards

    @rule(board=boards, pick=picks, data=st.data())
    def edit(self, board: str, pick: int, data: st.DataObject) -> None:
        if item := self.pick(self.ledger.on(board), pick):
            names = data.draw(st.lists(st.sampled_from(self.columns(board)), min_size=1, max_size=4, unique=True))
            self._type(item, {name: data.draw(st.sampled_from([*POOLS[board][name][1], None])) for name in names})

    @rule(pick=picks, email=st.sampled_from(EMAILS))
    def edit_the_key(self, pick: int, email: str) -> None:
        if item := self.pick(self.ledger.on("master"), pick):
            self._type(item, {"email4__1": email})

    @rule(one=picks, other=picks)
    def swap_emails(self, one: int, other: int) -> None:
        first, second = self.pick(self.ledger.on("master"), one), self.pick(self.ledger.on("master"), other)
        if first and second:
            emails = first.cells.get("email4__1"), second.cells.get("email4__1")
            self._type(first, {"email4__1": emails[1]})
            self._type(second, {"email4__1": emails[0]})

    @rule(board=boards, pick=picks, name=st.sampled_from(["Renamed", "Renamed again"]))
    def rename(self, board: str, pick: int, name: str) -> None:
        if item := self.pick(self.ledger.on(board), pick):
            self._changed(item)
            self.sandbox.rename(item.id, name)
            item.name = name

    @rule(board=boards, data=st.data())
    def create(self, board: str, data: st.DataObject) -> None:
        if len(self.ledger.on(board)) < 8:
            self._create(board, "New", data)

    @rule(board=boards, pick=picks, state=st.sampled_from(["archived", "deleted"]))
    def remove(self, board: str, pick: int, state: str) -> None:
        if item := self.pick(self.ledger.on(board), pick):
            self._changed(item)
            (self.sandbox.archive if state == "archived" else self.sandbox.delete)(item.id)
            item.state = state

    @rule(board=boards, pick=picks)
    def restore(self, board: str, pick: int) -> None:
        gone = [item for state in ("archived", "deleted") for item in self.ledger.on(board, state)]
        if item := self.pick(gone, pick):
            self._changed(item)
            self.sandbox.restore(item.id)
            item.state = "active"

    @rule(board=boards, pick=picks)
    def move(self, board: str, pick: int) -> None:
        if item := self.pick(self.ledger.on(board), pick):
            self._changed(item)
            item.board = "staff" if board == "master" else "master"
            self.sandbox.move_to_board(item.id, BOARD_IDS[item.board])
            item.cells, item.moved = {}, True

    @rule(board=boards, pick=picks, under=picks, at_home=st.booleans())
    def become_subitem(self, board: str, pick: int, under: int, at_home: bool) -> None:
        """Under another item: it stands on neither board any more, whatever board monday names as its own."""
        item, parent = (self.pick(self.ledger.on(board), which) for which in (pick, under))
        if item and parent and parent is not item:
            self._changed(item)
            item.board = "below"
            self.sandbox.move_to_subitem(item.id, parent.id, at_home)
            item.cells, item.moved = {}, True

    @rule(hours=st.sampled_from([1, 30, 24 * 9]))
    def time_passes(self, hours: int) -> None:
        self.sandbox.advance(hours * 3600)

    # People in SQL

    @rule(edit=st.sampled_from(SQL_EDITS), pick=picks, value=picks)
    def edit_row(self, edit: tuple[str, str, list[str]], pick: int, value: int) -> None:
        table, column, pool = edit
        if row := self.pick(self.rows(f"SELECT id::text, {column} FROM {table} ORDER BY created_at, id"), pick):
            text = pool[value % len(pool)]
            self.sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", text, row[0])
            self.ledger.typed_in_sql(table, row[0], column, row[1], text)

    @rule(name=st.sampled_from(NAMES), email=st.sampled_from(EMAILS))
    def insert_customer(self, name: str, email: str) -> None:
        statement = "INSERT INTO customers (name, email) VALUES (%s, %s) RETURNING id::text"
        ((row,),) = self.rows(statement, name, email)
        self.ledger.typed |= {("customers", row, "name"): name, ("customers", row, "email"): email}

    @rule(name=st.sampled_from(NAMES))
    def insert_project(self, name: str) -> None:
        ((row,),) = self.rows("INSERT INTO projects (item_name, name) VALUES (%s, %s) RETURNING id::text", name, name)
        self.ledger.typed["projects", row, "name"] = name

    @rule(pick=picks, onto=picks)
    def repoint_project(self, pick: int, onto: int) -> None:
        projects = self.rows("SELECT id::text, customer_id::text FROM projects ORDER BY created_at, id")
        project = self.pick(projects, pick)
        customer = self.pick(self.rows("SELECT id::text FROM customers ORDER BY created_at, id"), onto)
        if project and customer:
            self.sql("UPDATE projects SET customer_id = %s WHERE id = %s", customer[0], project[0])
            self.ledger.typed_in_sql("projects", project[0], "customer_id", project[1], customer[0])

    @rule(pick=picks)
    def delete_customer(self, pick: int) -> None:
        free = self.rows(
            "SELECT id::text FROM customers c WHERE NOT EXISTS (SELECT FROM projects WHERE customer_id = c.id)"
            " AND NOT EXISTS (SELECT FROM properties WHERE customer_id = c.id)"
            " AND NOT EXISTS (SELECT FROM policies WHERE customer_id = c.id) ORDER BY created_at, id"
        )
        if row := self.pick(free, pick):
            self._delete("customers", row[0])

    @rule(pick=picks)
    def delete_project(self, pick: int) -> None:
        if row := self.pick(self.rows("SELECT id::text FROM projects ORDER BY created_at, id"), pick):
            self._delete("projects", row[0])

    # The command

    @rule(
        read=st.sampled_from(READS),
        policy=st.sampled_from([None, None, None, "pg", "manual", "monday"]),
        rehearse=st.booleans(),
        repeat=st.booleans(),
        trouble=st.sampled_from([None, None, *TROUBLES]),
        nth=st.integers(1, 4),
    )
    def sync(
        self, read: tuple[str, ...], policy: str | None, rehearse: bool, repeat: bool, trouble: str | None, nth: int
    ) -> None:
        if trouble is not None and not rehearse:
            self.sandbox.fault(trouble, match="read", nth=nth, times=1, retry_after=0)
            self.count("faults")
        self._sync(read, policy, rehearse=rehearse, repeat=repeat, stale=trouble == "stale_read" and not rehearse)
        self.sandbox.clear_faults()

    @rule(limit=st.integers(1, 3))
    def sync_some(self, limit: int) -> None:
        """Which items are read is the boards' business; with a whole read after it, nothing may be missing."""
        before = look(self.connection)
        self._twice(("--limit", str(limit)))
        self._sync(("--full",), None, rehearse=False, repeat=False, before=before)

    @rule(rehearse=st.booleans())
    def begin_afresh(self, rehearse: bool) -> None:
        """What differs at that moment is nobody's edit any more: it stays, and is listed."""
        self.ledger.forget()
        self._sync(("--resync", "--yes"), None, rehearse=rehearse, repeat=False)

    @precondition(lambda self: None not in self.ledger.cached.values())
    @rule(rehearse=st.booleans())
    def replay(self, rehearse: bool) -> None:
        self._sync(("--use-cache",), None, rehearse=rehearse, repeat=True)

    @rule(how=st.sampled_from(["40001", "terminate", "P0001"]))
    def sync_in_a_storm(self, how: str) -> None:
        """The last statement of the transaction fails once: a conflict, a lost connection, an error nobody foresaw."""
        before = look(self.connection)
        self.sql(_STORM.replace("%how", _STORMS[how]))
        try:
            if how == "P0001":
                ended = self._run("--full")
                assert ended.code not in (0, 5)
                assert look(self.connection).versions == before.versions
                self._save_reads()  # the boards were read: only the database failed
            else:
                self._sync(("--full",), None, rehearse=False, repeat=False)
        finally:
            self.sql("DROP TRIGGER storm ON monday_sync.sync_run; DROP SEQUENCE public.storm")

    @precondition(lambda self: SOAK > 0)  # a process of its own takes as long as ten other steps
    @rule()
    def kill_a_run(self) -> None:
        """With everything written and nothing committed: it leaves no trace, and nobody waits for its lease."""
        before = look(self.connection)
        self.sql(_STORM.replace("%how", "PERFORM pg_sleep(60)"))
        writing = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        with self.company.start("--json", "--full", *self.skips(), *GUARDS_OFF) as process:
            while process.poll() is None and not self.rows(f"SELECT {writing}"):
                time.sleep(0.02)
            process.kill()
        self.count("kills")
        assert self.rows(f"SELECT pg_terminate_backend(pid) {writing}")
        self.sql("DROP TRIGGER storm ON monday_sync.sync_run; DROP SEQUENCE public.storm")
        self._save_reads()
        assert look(self.connection).versions == before.versions
        self._sync(("--full",), None, rehearse=False, repeat=True)

    # How a run is looked at

    def _sync(
        self,
        read: tuple[str, ...],
        policy: str | None,
        *,
        rehearse: bool,
        repeat: bool,
        stale: bool = False,
        before: Database | None = None,
    ) -> None:
        """`before` is the database as it was when the ledger was last right."""
        arguments = [*read, *(("--on-conflict", policy) if policy else ())]
        before = before or look(self.connection)
        rehearsal = self._rehearse(*arguments) if rehearse else None
        if stale:  # what comes is older than it should be; the next read puts it right
            assert self._run(*arguments).code in (0, 5)
            self.sandbox.clear_faults()
            self.ledger.cached = {"master": None, "staff": None}
        ended = self._run(*arguments)
        assert ended.code in (0, 5), ended.err
        after = look(self.connection)
        report = ended.report
        if rehearsal is not None:
            assert (rehearsal.report["plan"], rehearsal.report["tables"]) == (report["plan"], report["tables"])
            assert (rehearsal.report["settled"], rehearsal.report["conflicts"]) == (
                report["settled"],
                report["conflicts"],
            )
            assert rehearsal.code == ended.code
        wrong = self.ledger.check(self._read(report), before, after, policy)
        if not stale and "--resync" not in arguments:
            wrong += untrue(before.conflicts, after.conflicts, ended)
        if all(board["complete"] for board in report["boards"].values()) and len(report["boards"]) == 2:
            wrong += self.ledger.check_archived(after)
        assert wrong == []
        for name, board in report["boards"].items():
            if board["mode"] == "full":
                self.ledger.save(name)
        if repeat:
            self._repeat(ended, after, *arguments)
        if not read:
            whole = self._run("--full", "--test", *arguments)
            assert whole.writes == 0, (whole.report["tables"], "a full read finds what the changes did not show")
            self._save_reads()

    def _save_reads(self) -> None:
        for name in BOARD_IDS:
            self.ledger.save(name)

    def _twice(self, arguments: tuple[str, ...]) -> None:
        ended = self._run(*arguments)
        assert ended.code in (0, 5), ended.err
        self._repeat(ended, look(self.connection), *arguments)

    def _repeat(self, ended: Ended, after: Database, *arguments: str) -> None:
        again = self._run(*arguments)
        waits = any(again.report[kind] for kind in ("conflicts", "quarantined", "would_merge"))
        assert (again.code, again.writes) == (5 if waits else 0, 0), again.report["tables"]  # what lost was news once
        assert ended.code == 5 or not waits
        assert look(self.connection).versions == after.versions

    def _rehearse(self, *arguments: str) -> Ended:
        before = digest(self.connection)
        ended = self._run(*arguments, "--test")
        assert digest(self.connection) == before
        return ended

    def _read(self, report: dict[str, Any]) -> list[Item]:
        """The items that a run was shown."""
        read = []
        for name, board in report["boards"].items():
            if board["mode"] == "cache":
                read += self.ledger.read_from_cache(name)
                self.ledger.columns.setdefault(name, (frozenset(), -1))
            else:
                read += self.ledger.read(name)
                self.ledger.columns[name] = self.ledger.today(name)
        return read

    def _run(self, *arguments: str) -> Ended:
        self.sandbox.advance(2)
        self.count("runs")
        return self.company.sync(*arguments, *self.skips(), *GUARDS_OFF)

    # Small things

    def _create(self, board: str, name: str, data: st.DataObject) -> None:
        filled = data.draw(st.lists(st.sampled_from(self.columns(board)), min_size=1, max_size=9, unique=True))
        item = Item(self.sandbox.create(BOARD_IDS[board], name), board, name)
        self.ledger.items[item.id] = item
        self._type(item, {cell_id: data.draw(st.sampled_from(POOLS[board][cell_id][1])) for cell_id in filled})

    def _type(self, item: Item, cells: dict[str, str | None]) -> None:
        self._changed(item)
        self.sandbox.edit(item.id, self.cells(item.board, cells), force=True)
        typed = self.called(item.board, cells)
        item.cells = {name: value for name, value in (item.cells | typed).items() if value is not None}

    def _changed(self, item: Item) -> None:
        self.sandbox.advance(1)
        item.revision += 1

    def _delete(self, table: str, row: str) -> None:
        self.sql(f"DELETE FROM {table} WHERE id = %s", row)
        self.ledger.deleted.add(row)  # what was typed there went with it, though an edit may bring the row back
        self.ledger.typed = {place: value for place, value in self.ledger.typed.items() if place[1] != row}


_STORMS = {
    "40001": "RAISE EXCEPTION 'too late' USING ERRCODE = '40001'",
    "P0001": "RAISE EXCEPTION 'out of the blue'",
    "terminate": "PERFORM pg_terminate_backend(pg_backend_pid())",
}
_STORM = """
CREATE SEQUENCE public.storm;
CREATE OR REPLACE FUNCTION public.storm() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF nextval('public.storm') = 1 THEN %how; END IF; RETURN NEW; END $$;
CREATE TRIGGER storm BEFORE INSERT ON monday_sync.sync_run FOR EACH ROW EXECUTE FUNCTION public.storm()
"""


def test_no_history_loses_an_edit(admin: extensions.connection, server: Keywords, tmp_path: Path) -> None:
    run_histories(Histories, 12, admin, server, tmp_path)


# What it found, each as the shortest way there


def test_comparing_afresh_knows_of_an_item_that_has_gone(synced: Company) -> None:
    gone = synced.sandbox.item_ids()[0]
    synced.sandbox.archive(gone)
    assert synced.sync("--resync").code == 0
    assert synced.project(gone, "archived_at") is not None
    assert synced.sync("--full").writes == 0


def test_a_person_whose_item_is_made_anew_is_back(synced: Company) -> None:
    gone = synced.sandbox.item_ids(STAFF_BOARD_ID)[0]
    email = synced.sandbox.item(gone)["cells"]["email__1"]["text"]
    synced.sandbox.delete(gone)
    assert synced.sync().code == 0
    query = "SELECT monday_item_id, archived_at IS NULL FROM users WHERE email = %s"
    assert synced.sql(query, email) == [(gone, False)]
    new = synced.sandbox.create(STAFF_BOARD_ID, "Back again", {"email__1": {"email": email, "text": email}})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.sql(query, email) == [(new, True)]
    assert synced.sync("--full").writes == 0


@pytest.mark.parametrize("wrote", ["before the first run", "afterwards"])
def test_a_member_of_staff_whose_item_says_nothing_yet_is_known_by_its_id(company: Company, wrote: str) -> None:
    item = company.sandbox.create(STAFF_BOARD_ID, "New here")
    if wrote == "before the first run":
        company.sql("CREATE TABLE users (id uuid PRIMARY KEY, monday_item_id bigint, email text)")
    else:
        company.landed()
    company.sql("INSERT INTO users (id, monday_item_id) VALUES (%s, %s)", str(uuid.uuid4()), item)
    company.landed()
    company.sandbox.edit(item, {"email__1": {"email": "new@roofs.example", "text": "new@roofs.example"}})
    company.sandbox.advance(60)
    company.landed()
    assert company.sql("SELECT email FROM users WHERE monday_item_id = %s", item) == [("new@roofs.example",)]
    assert company.value("SELECT count(*) FROM users WHERE email = 'new@roofs.example'") == 1
    assert company.sync("--full").writes == 0


def test_a_saved_read_brings_no_renamed_label_back(synced: Company) -> None:
    """No item says that it was changed by that: the saved one looks as new as the one that was read since."""
    item, column = synced.sandbox.item_ids()[0], LABELS["master"]
    synced.sandbox.edit(item, {column: {"label": "Retail"}})
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    synced.sandbox.rename_label(BOARD_IDS["master"], column, "Retail", "Homes")
    caches = sorted((synced.folder / "cache").glob("master-*.jsonl"))
    assert synced.sync().code == 0
    team = "SELECT t.name FROM projects p JOIN sales_teams t ON t.id = p.sales_team_id WHERE p.monday_item_id = %s"
    assert synced.value(team, item) == "Homes"
    assert synced.sync("--cache-file", str(caches[-1]), "--board", "master").writes == 0
    assert synced.value(team, item) == "Homes"


@pytest.mark.parametrize("how", [(), ("--use-cache",)])
def test_a_column_that_was_left_alone_is_read_as_soon_as_it_is_not(synced: Company, how: tuple[str, ...]) -> None:
    item, column = synced.sandbox.item_ids()[0], "text40__1"
    synced.sandbox.edit(item, {column: "A new roof", "numbers0": "77"})
    synced.sandbox.advance(60)
    if how:
        assert synced.sync("--full", "--test").code == 0
    assert synced.sync(*how, "--skip-column", column).code == 0
    assert (synced.project(item, "description"), synced.project(item, "estimated_value")) == ("Roof 1", 77)
    assert synced.sync().code == 0
    assert synced.project(item, "description") == "A new roof"


@pytest.mark.parametrize("known", ["before the first run", "before --resync", "in SQL"])
def test_whoever_was_there_before_is_found_by_every_later_item(company: Company, known: str) -> None:
    """Not only by the first, which takes his row: what he is known by has to be written down then."""
    first, second = company.sandbox.item_ids()[:2]
    cells = {"email4__1": {"email": "ann@mail.example", "text": "ann@mail.example"}, "text65__1": "Ann Lee"}
    if known == "before the first run":
        company.sql("CREATE TABLE customers (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text, email text)")
    else:
        company.landed()
    if known == "before --resync":
        company.sandbox.edit(first, cells)
        company.sandbox.advance(60)
        company.landed()
        company.landed("--resync")
    else:
        company.sql("INSERT INTO customers (name, email) VALUES ('Ann Lee', 'Ann@mail.example')")
        company.sandbox.edit(first, cells)
        company.sandbox.advance(60)
        company.landed("--yes")
    company.sandbox.edit(second, cells)
    company.sandbox.advance(60)
    company.landed()
    assert company.value("SELECT count(*) FROM customers WHERE lower(email) = 'ann@mail.example'") == 1


@pytest.mark.parametrize("then", ["corrected", "archived", "deleted"])
def test_a_dry_run_ends_like_the_run_that_closes_what_was_open(synced: Company, then: str) -> None:
    first, second = synced.sandbox.item_ids()[:2]
    synced.sandbox.edit(first, {"text40__1": BAD}, force=True)
    synced.sandbox.edit(second, {"text43__1": "call first"})
    synced.sql("UPDATE customers SET notes = 'gate code 7' WHERE name = 'Owner 2'")
    synced.sandbox.advance(60)
    assert synced.sync("--on-conflict", "manual").code == 5
    if then == "corrected":
        synced.sandbox.edit(first, {"text40__1": "Corrected"})
    else:
        (synced.sandbox.archive if then == "archived" else synced.sandbox.delete)(first)
    synced.sandbox.advance(60)
    dry = synced.sync("--full", "--test")
    assert (dry.outcome, dry.report["quarantined"], dry.report["conflicts"]) == (0, 0, 0), dry.out
    ended = synced.sync("--full")
    assert (ended.code, ended.outcome, ended.report["settled"]) == (dry.code, 0, dry.report["settled"]) == (5, 0, 1)


def test_the_second_row_with_an_email_is_found_when_the_first_gives_it_up(synced: Company) -> None:
    first, second = synced.sandbox.item_ids()[:2]
    emails = [{"email": f"{who}@mail.example", "text": who} for who in ("ann", "bob")]
    for name, address in (("Ann Lee", "ann@mail.example"), ("A. Lee", "ANN@mail.example")):
        synced.sql("INSERT INTO customers (name, email) VALUES (%s, %s)", name, address)
    synced.sandbox.edit(first, {"email4__1": emails[0], "text65__1": "Ann Lee"})
    synced.sandbox.advance(60)
    assert synced.sync().code in (0, 5)
    synced.sandbox.edit(first, {"email4__1": emails[1]})
    synced.sandbox.edit(second, {"email4__1": emails[0], "text65__1": "Somebody"})
    synced.sandbox.advance(60)
    assert synced.sync().code in (0, 5)
    assert synced.value("SELECT count(*) FROM customers WHERE lower(email) LIKE 'ann@%%'") == 1
    assert synced.value("SELECT count(*) FROM customers WHERE email = 'bob@mail.example'") == 1
