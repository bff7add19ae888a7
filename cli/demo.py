"""`python -m cli.demo` (`make demo`): a guided tour that runs the real commands and says what to look at."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from db_connector import Database
from postgres.tour import Linked, complete_stage, count_rows, lengthen_claim_number, linked_projects, move_to_boulder
from postgres.transaction import Transaction
from reconcile.errors import Exit, SyncError
from run.demo import FOLDER, ITEMS, POSTGRES, STAFF, demo_postgres, demo_sandbox
from settings import PROGRAM_DIR
from terminal.say import say, say_error

# The tour -------------------------------------------------------------------------------------------------------------


def main() -> int:
    """Run the tour, or with `--stop` only stop the demo's database. Returns the exit code."""
    if sys.argv[1:] == ["--stop"]:
        demo_postgres().stop()
        say("The demo's database is stopped.")
        return 0
    if sys.argv[1:]:
        say("usage: python -m cli.demo [--stop]", error=True)
        return Exit.USAGE
    try:
        _tour()
    except SyncError as error:
        say_error(error)
        return error.exit_code
    return 0


def _tour() -> None:
    _start_afresh()
    _say(
        f"A tour with made-up data in {FOLDER.name}/: a local server plays monday.com (a master board of {ITEMS:,}",
        f"projects, a staff board of {STAFF}), and a local PostgreSQL is started. No account, nothing outside this",
        "machine.",
    )
    _step(1, "The first run reads both boards whole and creates the tables.")
    _sync()
    _say(
        "It ends with exit code 5, and here that is meant: like real boards, the made-up ones hold a few values",
        "that no database can store. Those cells are set aside and listed; everything else has landed.",
    )
    _step(2, "The second run finds nothing to do: one request, no row written.")
    _sync()
    _step(3, "What is in the database now.")
    linked = _look()
    _step(4, "Somebody edits three cells on the master board.")
    _edit(linked)
    _step(5, "A dry run shows what would happen, and writes nothing.")
    _sync("--test")
    _step(6, "The real run carries out that plan: the same changes, the same plan number, no other.")
    _sync()
    _step(7, "The other way: somebody edits three rows in SQL.")
    _edit_rows(linked)
    _step(8, "A dry run of the other direction: which cells would change, and what it would cost.")
    _push("--test")
    _step(9, "The real run: one request writes all cells of all three items.")
    _push()
    _step(10, "Both directions once more: the sides agree, and nothing bounces back.")
    _push("-q")
    _sync()
    _where_next()


def _start_afresh() -> None:
    if POSTGRES.exists():
        demo_postgres().stop()
    if FOLDER.exists():
        shutil.rmtree(FOLDER)


def _sync(*options: str) -> None:
    _run("sync_monday_to_pg.py", *options)


def _push(*options: str) -> None:
    _run("sync_pg_to_monday.py", *options)


def _run(program: str, *options: str) -> None:
    """Run a real command as a person would. Raises SyncError when it ends otherwise than the tour says."""
    _say(f"$ {_python()} {program} --demo {' '.join(options)}".rstrip())
    command = [sys.executable, str(PROGRAM_DIR / program), "--demo", *options]
    code = subprocess.run(command, check=False).returncode  # noqa: S603  our own command
    if code not in (Exit.DONE, Exit.PERSON_NEEDED):
        raise SyncError(f"The run ended with exit code {code}, not 0 or 5: see {FOLDER / 'logs'}.")


def _look() -> list[Linked]:
    """Print the size of each table and one project with what it points at; the projects that will be edited."""
    database = Database(demo_postgres().start())

    def read(tx: Transaction) -> tuple[dict[str, int], list[Linked]]:
        return count_rows(tx), linked_projects(tx)

    try:
        counts, linked = database.transact(read, read_only=True, label="looking at the tables")
    finally:
        database.close()
    tables = [f"  {table:<13}{count:>6,}" for table, count in counts.items()]
    _say(*("    ".join(tables[start : start + 3]) for start in range(0, len(tables), 3)))
    shown = linked[0]
    _say(
        f"Project {shown.item}, as one row of projects and the rows that its foreign keys lead to:",
        f"  project    {shown.name}, {shown.price:,} dollars",
        f"  customer   {shown.customer}, {shown.phone}",
        f"  property   {shown.address}",
        f"  insurance  {shown.insurance}",
        f"  manager    {shown.manager}",
    )
    return linked


def _edit(linked: list[Linked]) -> None:
    """Edit one cell each of three items, as a person at the board would."""
    from sandbox.control import Remote

    priced, claimed, called = linked
    with demo_sandbox() as url:
        person = Remote(url.removesuffix("/v2"))
        person("edit", item_id=priced.item, cells={"numbers0": str(priced.price + 1250)})
        person("edit", item_id=claimed.item, cells={"claim_number__1": f"{claimed.claim}-A"})
        phone = {"phone": "+13035550199", "countryShortName": "US"}
        person("edit", item_id=called.item, cells={"phone_1__1": phone})
    _say(
        f"  item {priced.item}  Total price       1,250 dollars more",
        f"  item {claimed.item}  Claim number      -A added",
        f"  item {called.item}  JP Contact Phone  another number: it belongs to the row of {called.customer}",
    )


def _edit_rows(linked: list[Linked]) -> None:
    """Edit three rows, as a person at the database would; a part of an address is enough."""
    priced, claimed, called = linked

    def write(tx: Transaction) -> None:
        complete_stage(tx, priced.item)
        lengthen_claim_number(tx, claimed.item)
        move_to_boulder(tx, called.item)

    with Database(demo_postgres().start()) as database:
        database.transact(write, read_only=False, label="editing three rows")
    _say(
        f"  item {priced.item}  projects.current_stage = 'Completed'; the status follows",
        f"  item {claimed.item}  projects.claim_number: -B added",
        f"  item {called.item}  properties.city = 'Boulder'; the address is one cell on the board",
    )


def _where_next() -> None:
    keywords = demo_postgres().start()
    _step(11, "Where to look next.")
    secret = (POSTGRES / "password").relative_to(PROGRAM_DIR)
    _say(
        "The tables, if psql is installed:",
        f"  PGPASSWORD=$(cat {secret}) psql -h {keywords['host']} -p {keywords['port']} -U {keywords['user']}",
        "Why a value was set aside:  SELECT * FROM monday_sync.sync_dead;",
        f"The log of each run:        {FOLDER.name}/logs/",
        f"Once more, without network: {_python()} sync_monday_to_pg.py --demo --use-cache --test",
        "Your own boards:            README.md, Quick start",
        f"Stop the demo's database:   {_python()} -m cli.demo --stop",
    )


def _python() -> str:
    """How the person would call this Python from the program's folder."""
    given = Path(sys.executable)
    return str(given.relative_to(PROGRAM_DIR)) if given.is_relative_to(PROGRAM_DIR) else str(given)


def _step(number: int, title: str) -> None:
    _say(f"--- {number}. {title} ".ljust(100, "-"))


def _say(*lines: str) -> None:
    say("", *lines)


if __name__ == "__main__":
    from terminal.streams import make_streams_safe

    make_streams_safe()
    sys.exit(main())
