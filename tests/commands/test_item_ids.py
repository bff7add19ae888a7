"""A row is the item's whose id it holds, whatever a person does to `monday_item_id`, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from monday_api import MARKER
from sandbox import MASTER_BOARD_ID, STAFF_BOARD_ID
from tests.support.company import PUSH, Company
from tests.support.pushing import CLAIM, TEXT, in_step, jobs, new_project, project, shows

NO_ITEM = 4711
RELOADED = (
    "CREATE TEMP TABLE kept AS TABLE {table}; DELETE FROM {table};"
    " UPDATE kept SET id = gen_random_uuid(); INSERT INTO {table} TABLE kept"
)


def swap(company: Company, one: int, other: int, table: str = "projects") -> None:
    for was, now in ((one, -1), (other, one), (-1, other)):
        company.sql(f"UPDATE {table} SET monday_item_id = %s WHERE monday_item_id = %s", now, was)


def row_of(company: Company, item: int, table: str = "projects") -> str:
    return str(company.value(f"SELECT id::text FROM {table} WHERE monday_item_id = %s", item))


def linked(company: Company, item: int, role: str = "project") -> Any:
    rows = company.sql("SELECT row_id::text FROM monday_sync.sync_link WHERE item_id = %s AND role = %s", item, role)
    return rows[0][0] if rows else None


def listed(company: Company) -> dict[str, str]:
    """Place → kind of what a person is told of because of an id."""
    return dict(
        company.sql(
            "SELECT place, CASE WHEN kind = 'row' THEN input ELSE kind END FROM monday_sync.sync_dead"
            " WHERE kind IN ('row', 'would-merge')"
        )
    )


def staff(company: Company) -> list[int]:
    return sorted(company.sandbox.item_ids(STAFF_BOARD_ID))


def roof(company: Company, item: int) -> Any:
    return company.project(item, "description"), shows(company, item, TEXT)


# Swapped ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["pull", "push"])
def test_edits_go_to_the_item_whose_id_the_row_holds(synced: Company, first: str) -> None:
    """The two rows say each other's things from then on: an edit made in SQL of all that differs, as if the values had
    been exchanged and not the ids."""
    one, other = jobs(synced)[:2]
    rows = row_of(synced, one), row_of(synced, other)
    swap(synced, one, other)
    synced.sql("UPDATE projects SET claim_number = 'C-1' WHERE monday_item_id = %s", one)
    if first == "pull":
        pulled = synced.sync()
        assert (pulled.code, pulled.writes) == (0, 0), pulled.err
        assert (linked(synced, one), linked(synced, other)) == (rows[1], rows[0])
    ended = synced.push()
    assert (ended.code, ended.report["items"]["update"]) == (0, 2), ended.err
    assert (shows(synced, one, CLAIM), shows(synced, other, CLAIM) or None) == ("C-1", None)
    assert roof(synced, one) == ("Roof 2", "Roof 2")
    assert (linked(synced, one), linked(synced, other)) == (rows[1], rows[0])
    in_step(synced)
    synced.sandbox.edit(one, {TEXT: "Edited on the board"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    assert synced.value("SELECT description FROM projects WHERE id = %s", rows[1]) == "Edited on the board"


def test_both_sides_edited_after_a_swap_is_a_conflict_like_any(synced: Company) -> None:
    one, other = jobs(synced)[:2]
    swap(synced, one, other)
    synced.sandbox.edit(one, {TEXT: "Edited on the board"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 5  # an edit that lost is news
    assert synced.project(one, "description") == "Edited on the board"
    lost = synced.sql(
        "SELECT item_id, lost_from, lost FROM monday_sync.sync_conflict WHERE field LIKE 'projects.desc%%'", 0
    )
    assert lost == [(one, "postgres", "Roof 2")]


def test_a_dry_run_of_either_direction_says_what_a_swap_will_do(synced: Company) -> None:
    one, other = jobs(synced)[:2]
    swap(synced, one, other)
    before = synced.contents()
    dry = synced.push("--test")
    assert synced.sync("--test").code == 0
    assert synced.contents() == before
    done = synced.push()
    assert (dry.report["plan"], dry.report["items"]) == (done.report["plan"], done.report["items"])


def test_staff_rows_that_exchange_their_ids(synced: Company) -> None:
    one, other = staff(synced)
    swap(synced, one, other, "users")
    synced.sql("UPDATE users SET shirt_size = 'XL' WHERE monday_item_id = %s", one)
    assert synced.push().code == 0
    assert shows(synced, one, "text6") == "XL"
    assert shows(synced, one, "email__1") == "rep2@roofs.example"
    assert linked(synced, one, "user:Sales Staff") == row_of(synced, one, "users")
    in_step(synced)


@pytest.mark.parametrize("gone", ["archived", "moved"])
@pytest.mark.parametrize("left", ["there", "loaded anew"])
def test_ids_that_were_exchanged_before_one_of_the_items_went(synced: Company, gone: str, left: str) -> None:
    """Both have the same customer, so that the one that is gone still has a say in whose he is."""
    one, other = jobs(synced)[:2]
    synced.sandbox.edit(other, {"email4__1": {"email": "owner1@mail.example", "text": ""}, "text65__1": "Owner 1"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 0
    rows = synced.counts()
    swap(synced, one, other)
    if left == "loaded anew":
        synced.sql("UPDATE projects SET id = gen_random_uuid() WHERE monday_item_id = %s", one)
    if gone == "moved":
        synced.sandbox.move_to_board(other, STAFF_BOARD_ID)
    else:
        synced.sandbox.archive(other)
    synced.sandbox.edit(one, {CLAIM: "C-1"})
    synced.sandbox.advance(60)
    dry, ended = synced.sync("--test"), synced.sync()
    assert (dry.code, ended.code) == (0, 0), ended.err
    assert dry.report["plan"] == ended.report["plan"]
    assert linked(synced, one) == row_of(synced, one)
    assert synced.project(one, "claim_number") == "C-1"
    assert (synced.push().code, synced.sync("--full").code) == (0, 0)
    assert synced.counts() == rows
    assert roof(synced, one) == ("Roof 2", "Roof 2")


def test_a_row_whose_id_an_item_of_another_board_carries(synced: Company) -> None:
    """It was made of that row, gave it to another item, and went to the other board with its Sync ID."""
    marked(synced)
    row = new_project(synced, "New job")
    assert synced.push().code == 0
    item, other = synced.value("SELECT monday_item_id FROM projects WHERE id = %s", row), jobs(synced)[0]
    swap(synced, item, other)
    assert synced.sync("--full").code == 0
    assert synced.push().code == 0
    synced.sandbox.move_to_board(item, STAFF_BOARD_ID)
    synced.sandbox.edit(other, {TEXT: "Edited"})
    synced.sandbox.advance(60)
    before = synced.counts()["projects"]
    ended = synced.sync()
    assert ended.code == 0, ended.out
    assert (row_of(synced, other), linked(synced, other)) == (row, row)
    assert synced.project(other, "description") == "Edited"
    assert synced.counts()["projects"] == before


# Rows loaded anew -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["pull", "push"])
@pytest.mark.parametrize("table", ["projects", "users"])
def test_rows_that_come_back_with_other_uuids(synced: Company, table: str, first: str) -> None:
    item = jobs(synced)[0] if table == "projects" else staff(synced)[0]
    synced.sql(RELOADED.format(table=table))
    column, cell = ("claim_number", CLAIM) if table == "projects" else ("shirt_size", "text6")
    synced.sql(f"UPDATE {table} SET {column} = 'X-1' WHERE monday_item_id = %s", item)
    rows = synced.counts()
    if first == "pull":
        dry, pulled = synced.sync("--test"), synced.sync()
        assert (dry.code, pulled.code, pulled.writes) == (0, 0, 0), pulled.err
    ended = synced.push()
    assert (ended.code, ended.report["items"]["update"]) == (0, 1), ended.err
    assert ended.report["items"]["create"] == 0
    assert shows(synced, item, cell) == "X-1"
    in_step(synced)
    assert synced.counts() == rows
    known = synced.value("SELECT count(*) FROM monday_sync.sync_row WHERE table_name = %s", table)
    assert known == rows[table]


def test_everything_loaded_anew(synced: Company) -> None:
    """All tables, all uuids other ones, the foreign keys with them: nothing is doubled and nothing is sent."""
    rows = synced.counts()
    tables = ("customers", "properties", "users", "projects")
    renewed = "".join(
        f"CREATE TEMP TABLE new_{table} AS SELECT id AS was, gen_random_uuid() AS now FROM {table};" for table in tables
    )
    pointers = {"projects": ["customer_id", "property_id"], "properties": ["customer_id"]}
    synced.sql(
        renewed + "CREATE TEMP TABLE kept_c AS TABLE customers; CREATE TEMP TABLE kept_h AS TABLE properties;"
        " CREATE TEMP TABLE kept_u AS TABLE users; CREATE TEMP TABLE kept_p AS TABLE projects;"
        " DELETE FROM projects; DELETE FROM properties; DELETE FROM policies; DELETE FROM customers; DELETE FROM users;"
        + "".join(
            f"UPDATE kept_{kept} k SET id = n.now FROM new_{table} n WHERE n.was = k.id;"
            for table, kept in zip(tables, "chup", strict=True)
        )
        + "".join(
            f"UPDATE kept_{table[0] if table != 'properties' else 'h'} k SET {column} = n.now"
            f" FROM new_{'customers' if column == 'customer_id' else 'properties'} n WHERE n.was = k.{column};"
            for table, columns in pointers.items()
            for column in columns
        )
        + "INSERT INTO customers TABLE kept_c; INSERT INTO properties TABLE kept_h; INSERT INTO users TABLE kept_u;"
        " INSERT INTO projects TABLE kept_p"
    )
    for ended in (synced.sync(), synced.push(), synced.sync("--full"), synced.push()):
        assert ended.code == 0, ended.err
    assert synced.counts() == rows
    assert synced.sandbox.counters()["mutations"] == 0
    project(synced, jobs(synced)[0], claim_number="C-1")
    assert synced.push().report["items"]["update"] == 1
    in_step(synced)


# Ids moved from row to row --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["pull", "push"])
def test_an_id_that_was_moved_to_another_row_leaves_a_row_for_a_person(synced: Company, first: str) -> None:
    item = jobs(synced)[0]
    old = row_of(synced, item)
    new = new_project(
        synced, "Job 1 by hand", description="Roof 1, by hand", estimated_value=1001, current_stage="Approved"
    )
    synced.sql("UPDATE projects SET monday_item_id = NULL WHERE id = %s", old)
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, new)
    synced.sql(
        "UPDATE projects n SET name = o.name, status = o.status, customer_id = o.customer_id,"
        " property_id = o.property_id FROM projects o WHERE o.id = %s AND n.id = %s", old, new,
    )  # fmt: skip
    run: dict[str, Callable[[], Any]] = {"pull": synced.sync, "push": synced.push}
    ended = run[first]()
    assert (ended.code, ended.report["would_merge"]) == (5, 1), ended.err
    assert listed(synced) == {f"projects.{old}": "would-merge"}
    pushed = synced.push()
    assert (pushed.code, pushed.report["items"]["create"]) == (5, 0)
    assert shows(synced, item, TEXT) == "Roof 1, by hand"
    assert linked(synced, item) == new
    assert synced.sync("--full").code == 5
    synced.sql("DELETE FROM projects WHERE id = %s", old)
    in_step(synced)


@pytest.mark.parametrize("runs", ["pull", "push, pull", "afresh"])
def test_a_row_that_was_made_for_an_item_is_left_for_a_person_too(synced: Company, runs: str) -> None:
    """The item looked like a row that waited, got one of its own and was told of; then that row was given its id."""
    waits = new_project(synced, "Job 9")
    item = synced.sandbox.create(MASTER_BOARD_ID, "Job 9", {TEXT: "Roof 9"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 5
    made = row_of(synced, item)
    synced.sql("UPDATE projects SET monday_item_id = NULL WHERE id = %s", made)
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, waits)
    if runs == "push, pull":
        assert synced.push().report["items"]["create"] == 0
    ended = synced.sync(*(["--resync"] if runs == "afresh" else []))
    assert (ended.code, ended.report["would_merge"]) == (5, 1), ended.err
    assert listed(synced)[f"projects.{made}"] == "would-merge"
    assert synced.push().report["items"]["create"] == 0
    assert (row_of(synced, item), linked(synced, item)) == (waits, waits)
    synced.sql("DELETE FROM projects WHERE id = %s", made)
    assert synced.push().code == 0
    in_step(synced)


def test_a_row_that_lost_its_item_becomes_one_when_a_person_says_so(synced: Company) -> None:
    one, other = jobs(synced)[:2]
    old = row_of(synced, one)
    synced.sql("DELETE FROM projects WHERE monday_item_id = %s", other)
    synced.sql("UPDATE projects SET monday_item_id = NULL WHERE id = %s", old)
    new_project(synced, "Instead", monday_item_id=one)
    assert synced.push().code == 5
    synced.sql("DELETE FROM monday_sync.sync_dead WHERE place = %s", f"projects.{old}")
    assert synced.push().report["items"]["create"] == 1
    made = synced.value("SELECT monday_item_id FROM projects WHERE id = %s", old)
    assert made not in (None, one, other)


def test_a_corrected_id_gives_the_other_item_a_row_of_its_own(synced: Company) -> None:
    """The row is item two's; what item one says stands in a new row at the next read, changed or not."""
    one, two = jobs(synced)[:2]
    row = row_of(synced, one)
    synced.sql("DELETE FROM projects WHERE monday_item_id = %s", two)
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", two, row)
    assert synced.push("--propagate-deletes").report["items"]["archive"] == 0
    assert shows(synced, two, TEXT) == "Roof 1"
    assert synced.sync().code == 0
    assert (row_of(synced, two), linked(synced, two)) == (row, row)
    assert roof(synced, one) == ("Roof 1", "Roof 1")
    in_step(synced)


def test_an_id_that_becomes_a_new_items(synced: Company) -> None:
    """Before the new item was read nobody knows whose the row is: nothing is sent to either."""
    one = jobs(synced)[0]
    row = row_of(synced, one)
    new = synced.sandbox.create(MASTER_BOARD_ID, "Job 1 again", {TEXT: "New roof"})
    synced.sandbox.advance(60)
    synced.sql("UPDATE projects SET monday_item_id = %s, claim_number = 'C-1' WHERE id = %s", new, row)
    assert synced.push().report["items"]["update"] == 0
    assert synced.sync().code == 0
    assert (linked(synced, new), row_of(synced, new)) == (row, row)
    assert linked(synced, one) == row_of(synced, one) != row
    assert synced.project(one, "description") == "Roof 1"
    assert synced.sync("--full").writes == 0


# Ids that nobody has --------------------------------------------------------------------------------------------------


def test_an_id_that_no_board_has(synced: Company) -> None:
    """A typing error: nothing passes between the item and its row, and no second row is made, until it is corrected."""
    item = jobs(synced)[0]
    row = row_of(synced, item)
    synced.sql("UPDATE projects SET monday_item_id = %s, claim_number = 'C-1' WHERE id = %s", NO_ITEM, row)
    assert synced.push().report["items"]["update"] == 0
    synced.sandbox.edit(item, {TEXT: "Edited on the board"})
    synced.sandbox.advance(60)
    rows = synced.counts()
    dry = synced.sync("--test")
    for ended in (dry, synced.sync(), synced.sync("--full"), synced.push(), synced.sync()):
        assert (ended.code, ended.report["quarantined"]) == (5, 1), ended.err
        (entry,) = ended.report["details"]["quarantined"]
        assert (entry["item"], entry["column"]) == (NO_ITEM, f"projects.{row}")
    assert synced.counts() == rows
    assert synced.value("SELECT description FROM projects WHERE id = %s", row) == "Roof 1"
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, row)
    assert synced.sync().code == 0
    assert synced.project(item, "description") == "Edited on the board"
    assert synced.push().code == 0
    assert shows(synced, item, CLAIM) == "C-1"
    in_step(synced)


@pytest.mark.parametrize("table", ["projects", "users"])
@pytest.mark.parametrize("settled", ["archived", "emptied", "deleted"])
def test_a_new_row_with_an_id_that_no_board_has(synced: Company, table: str, settled: str) -> None:
    synced.sql(
        f"INSERT INTO {table} (name, monday_item_id{', roles' * (table == 'users')})"
        f" VALUES ('Nobody', %s{', %s' * (table == 'users')})",
        NO_ITEM,
        *(["{Sales Staff}"] if table == "users" else []),
    )
    row = row_of(synced, NO_ITEM, table)
    assert synced.push().code == 0  # nothing proves it yet
    assert synced.sync().code == 5
    assert listed(synced) == {f"{table}.{row}": "id:unknown"}
    assert (synced.push().code, synced.sync().code) == (5, 5)
    doctor = synced.run("--json", program="test_sync.py")
    assert f"{table}.{row}" in doctor.out
    settle = {
        "archived": f"UPDATE {table} SET archived_at = now() WHERE id = %s",
        "emptied": f"UPDATE {table} SET monday_item_id = NULL WHERE id = %s",
        "deleted": f"DELETE FROM {table} WHERE id = %s",
    }
    synced.sql(settle[settled], row)
    ended = synced.push()
    assert (ended.code, ended.report["items"]["create"]) == (0, int(settled == "emptied")), ended.err
    assert listed(synced) == {}
    in_step(synced)


def test_a_part_of_a_board_proves_nothing_about_ids(company: Company) -> None:
    assert company.sync("--limit", "2").code == 0
    new_project(company, "Known to the board", monday_item_id=jobs(company)[-1])
    assert company.sync("--limit", "2").code == 0
    assert listed(company) == {}


def test_an_id_that_two_people_have(synced: Company) -> None:
    """`users` has no unique index: the row that was the item's stays it, and the other is listed."""
    item, row = staff(synced)[0], row_of(synced, staff(synced)[0], "users")
    smaller = "00000000-0000-4000-8000-000000000001"
    synced.sql("INSERT INTO users (id, name, monday_item_id) VALUES (%s, 'Twin', %s)", smaller, item)
    for ended in (synced.push(), synced.sync(), synced.sync("--full"), synced.sync()):
        assert ended.code == 5, ended.err
        assert listed(synced) == {f"users.{smaller}": "id:twice"}
    assert linked(synced, item, "user:Sales Staff") == row
    synced.sql("UPDATE users SET shirt_size = 'XL' WHERE id = %s", row)
    synced.sql("UPDATE users SET shirt_size = 'S' WHERE id = %s", smaller)
    synced.push()
    assert shows(synced, item, "text6") == "XL"
    synced.sql("DELETE FROM users WHERE id = %s", smaller)
    assert (synced.push().code, synced.sync().code) == (0, 0)


# Begun afresh: what was read is forgotten, and not whose row is whose -------------------------------------------------

AFRESH = [("--resync",), ("--resync", "--adopt", "monday"), ("--resync", "--adopt", "pg")]
RECORDS = {"projects": "project", "users": "user:Sales Staff"}
EMPTY = "UPDATE {table} SET monday_item_id = NULL WHERE monday_item_id = ANY(%s) RETURNING id::text"


def marked(company: Company) -> Company:
    assert company.run("--setup-marker", program=PUSH).code == 0
    return company


def without_ids(company: Company, *items: int) -> dict[str, list[str]]:
    """Table → its rows of these items, which lose their ids."""
    return {table: [row for (row,) in company.sql(EMPTY.format(table=table), list(items))] for table in RECORDS}


@pytest.mark.parametrize("afresh", AFRESH)
@pytest.mark.parametrize("marker", [False, True])
def test_a_row_without_the_id_of_its_live_item_stays_its_row(
    synced: Company, afresh: tuple[str, ...], marker: bool
) -> None:
    """Of items of both boards; nothing is there twice afterwards, and nobody is needed."""
    if marker:
        marked(synced)
    items, rows = (jobs(synced)[0], staff(synced)[0]), synced.counts()
    emptied = without_ids(synced, *items)
    dry = synced.sync("--test", *afresh)
    ended = synced.sync(*afresh)
    assert ended.code == 0, ended.err
    assert dry.report["plan"] == ended.report["plan"]
    for (table, role), item in zip(RECORDS.items(), items, strict=True):
        assert [row_of(synced, item, table)] == [linked(synced, item, role)] == emptied[table]
    assert synced.push().report["items"]["create"] == 0
    assert synced.counts() == rows
    in_step(synced)


@pytest.mark.parametrize("afresh", AFRESH)
def test_whose_row_it_was_last_counts_and_not_the_id_that_an_item_carries(
    synced: Company, afresh: tuple[str, ...]
) -> None:
    """Two made by the push exchanged their rows since; then both ids went, or one did."""
    marked(synced)
    rows = [new_project(synced, name) for name in ("One", "Two")]
    assert synced.push().code == 0
    one, other = (synced.value("SELECT monday_item_id FROM projects WHERE id = %s", row) for row in rows)
    swap(synced, one, other)
    assert synced.sync("--full").code == 0
    before = synced.counts()
    without_ids(synced, one, *([other] if afresh == AFRESH[0] else []))
    assert synced.sync(*afresh).code in (0, 5)
    assert [row_of(synced, other), row_of(synced, one)] == rows
    assert synced.push().report["items"]["create"] == 0
    assert synced.counts() == before


@pytest.mark.parametrize("afresh", AFRESH)
@pytest.mark.parametrize("told", ["before", "now"])
@pytest.mark.parametrize("table", ["projects", "users"])
def test_a_row_that_lost_its_item_to_another_one_goes_on_to_wait_for_a_person(
    synced: Company, table: str, told: str, afresh: tuple[str, ...]
) -> None:
    item = jobs(synced)[0] if table == "projects" else staff(synced)[0]
    old = row_of(synced, item, table)
    synced.sql(f"UPDATE {table} SET monday_item_id = NULL WHERE id = %s", old)
    synced.sql(
        f"INSERT INTO {table} (name, monday_item_id{', roles' * (table == 'users')})"
        f" SELECT name, %s{', roles' * (table == 'users')} FROM {table} WHERE id = %s",
        item, old,
    )  # fmt: skip
    if told == "before":
        assert synced.sync().code == 5
    dry = synced.sync("--test", *afresh)
    ended = synced.sync(*afresh)
    assert (dry.code, ended.code) == (5, 5), ended.err
    claims = {} if table == "projects" else {RECORDS[table]: "would-merge"}  # the old row has the item's e-mail
    assert dry.report["would_merge"] == ended.report["would_merge"] == 1 + len(claims)
    assert listed(synced) == {f"{table}.{old}": "would-merge", **claims}
    assert synced.push().report["items"]["create"] == 0
    synced.sql(f"DELETE FROM {table} WHERE id = %s", old)
    assert synced.sync().code == 0
    in_step(synced)


@pytest.mark.parametrize("afresh", AFRESH)
def test_an_item_whose_row_holds_an_unknown_id_gets_no_second_one(synced: Company, afresh: tuple[str, ...]) -> None:
    item, rows = jobs(synced)[0], synced.counts()
    row = row_of(synced, item)
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", NO_ITEM, row)
    for ended in (synced.sync("--test", *afresh), synced.sync(*afresh), synced.push()):
        assert (ended.code, ended.report["quarantined"]) == (5, 1), ended.err
    assert synced.counts() == rows
    assert listed(synced) == {f"projects.{row}": "id:unknown"}
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, row)
    assert synced.sync().code == 0
    assert linked(synced, item) == row
    in_step(synced)
    assert synced.counts() == rows


def test_a_row_that_looks_like_an_item_is_not_forgotten(synced: Company) -> None:
    new_project(synced, "Job 9")
    synced.sandbox.create(MASTER_BOARD_ID, "Job 9", {TEXT: "Roof 9"})
    synced.sandbox.advance(60)
    assert synced.sync().code == 5
    dry, ended = synced.sync("--test", "--resync"), synced.sync("--resync")
    assert (dry.code, ended.code, ended.report["would_merge"]) == (5, 5, 1)
    pushed = synced.push()
    assert (pushed.code, pushed.report["items"]["create"]) == (5, 0)


@pytest.mark.parametrize("afresh", AFRESH)
@pytest.mark.parametrize("copy", ["before", "after"])
def test_the_copy_of_an_item_does_not_take_the_row_whose_id_was_emptied(
    synced: Company, copy: str, afresh: tuple[str, ...]
) -> None:
    marked(synced)
    row = new_project(synced, "One")
    assert synced.push().code == 0
    item = synced.value("SELECT monday_item_id FROM projects WHERE id = %s", row)
    twin = synced.sandbox.create(MASTER_BOARD_ID, "One (copy)", {MARKER: row})
    synced.sandbox.advance(60)
    if copy == "before":
        assert synced.sync().code == 5
    without_ids(synced, item)
    synced.sandbox.edit(item, {MARKER: None})
    assert synced.sync(*afresh).code == 5
    assert row_of(synced, item) == row != row_of(synced, twin)


# Rows whose item is gone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [("--full",), ("--resync",)])
@pytest.mark.parametrize("table", ["projects", "users"])
def test_an_id_that_was_missing_when_its_item_moved_away_is_written_back(
    synced: Company, table: str, read: tuple[str, ...]
) -> None:
    """The item lives, if on another board: its row becomes no second one."""
    item = jobs(synced)[0] if table == "projects" else staff(synced)[0]
    row = row_of(synced, item, table)
    synced.sql(f"UPDATE {table} SET monday_item_id = NULL WHERE id = %s", row)
    synced.sandbox.move_to_board(item, STAFF_BOARD_ID if table == "projects" else MASTER_BOARD_ID)
    synced.sandbox.advance(60)
    assert synced.sync(*read).code == 0
    assert row_of(synced, item, table) == row
    assert synced.push().report["items"]["create"] == 0


@pytest.mark.parametrize("read", [(), ("--full",), ("--use-cache",)])
@pytest.mark.parametrize("table", ["projects", "users"])
def test_the_id_of_a_live_item_is_written_back_at_once(synced: Company, table: str, read: tuple[str, ...]) -> None:
    item = jobs(synced)[0] if table == "projects" else staff(synced)[0]
    row = row_of(synced, item, table)
    synced.sql(f"UPDATE {table} SET monday_item_id = NULL WHERE id = %s", row)
    assert synced.push().report["items"]["create"] == 0
    dry = synced.sync("--test", *read)
    ended = synced.sync(*read)
    assert ended.code == 0, ended.err
    assert dry.report["plan"] == ended.report["plan"]
    assert row_of(synced, item, table) == row
    in_step(synced)


GONE: Mapping[str, Callable[[Company, int], None]] = {
    "archived": lambda company, item: company.sandbox.archive(item),
    "deleted": lambda company, item: company.sandbox.delete(item),
}


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("table", ["projects", "users"])
def test_a_row_of_a_gone_item_without_its_id_is_listed_and_becomes_an_item_again(
    synced: Company, table: str, gone: str
) -> None:
    item = jobs(synced)[0] if table == "projects" else staff(synced)[0]
    row = row_of(synced, item, table)
    GONE[gone](synced, item)
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    synced.sql(f"UPDATE {table} SET monday_item_id = NULL WHERE id = %s", row)
    for ended in (synced.push("--test"), synced.sync("--test"), synced.push(), synced.sync(), synced.sync("--full")):
        assert ended.code == 5, ended.err
        assert [entry["column"] for entry in ended.report["details"]["quarantined"]] == [f"{table}.{row}"]
    assert listed(synced) == {f"{table}.{row}": "id:emptied"}
    synced.sql(f"UPDATE {table} SET archived_at = NULL WHERE id = %s", row)
    ended = synced.push()
    assert (ended.code, ended.report["items"]["create"]) == (0, 1), ended.err
    again = synced.value(f"SELECT monday_item_id FROM {table} WHERE id = %s", row)
    assert again not in (None, item)
    assert listed(synced) == {}
    in_step(synced)
    if gone == "archived":  # and if the old item comes back, it is one of its own
        synced.sandbox.restore(item)
        synced.sandbox.advance(60)
        assert synced.sync("--full").code in (0, 5)
        assert row_of(synced, again, table) == row
        if table == "projects":
            assert row_of(synced, item, table) != row


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("table", ["projects", "users"])
@pytest.mark.parametrize("how", ["unmarked", "restored"])
def test_a_row_under_the_id_of_a_gone_item_is_listed_with_the_reason(
    synced: Company, table: str, gone: str, how: str
) -> None:
    """A person cleared `archived_at`, or brought the row back from a backup under a uuid of its own."""
    item = jobs(synced)[0] if table == "projects" else staff(synced)[0]
    GONE[gone](synced, item)
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 0
    if how == "restored":
        synced.sql(f"UPDATE {table} SET id = gen_random_uuid() WHERE monday_item_id = %s", item)
    synced.sql(f"UPDATE {table} SET archived_at = NULL WHERE monday_item_id = %s", item)
    row = row_of(synced, item, table)
    for ended in (synced.push("--test"), synced.sync("--test"), synced.push(), synced.sync(), synced.sync("--full")):
        assert ended.code == 5, ended.err
        (entry,) = ended.report["details"]["quarantined"]
        assert (entry["column"], entry["item"]) == (f"{table}.{row}", item)
        assert "archived or deleted" in entry["reason"]
    synced.sql(f"UPDATE {table} SET monday_item_id = NULL WHERE id = %s", row)
    assert synced.push().report["items"]["create"] == 1
    in_step(synced)


def test_an_item_that_goes_while_its_id_is_missing(synced: Company) -> None:
    item = jobs(synced)[0]
    row = row_of(synced, item)
    synced.sql("UPDATE projects SET monday_item_id = NULL WHERE id = %s", row)
    synced.sandbox.archive(item)
    synced.sandbox.advance(60)
    assert synced.sync("--full").code == 5
    assert listed(synced) == {f"projects.{row}": "id:emptied"}
    assert synced.push().report["items"]["create"] == 0
    synced.sql("UPDATE projects SET monday_item_id = %s WHERE id = %s", item, row)
    in_step(synced)


def test_nothing_of_this_costs_a_run_without_changes_anything(synced: Company) -> None:
    before = synced.contents(only="public")
    synced.sandbox.reset_counters()
    assert (synced.sync().writes, synced.push().code) == (0, 0)
    assert synced.sandbox.counters()["requests"] == 1
    assert synced.contents(only="public") == before
