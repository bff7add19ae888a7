"""monday.com: the column mapping of both boards, and the client that reads and writes them.

The two dictionaries are the only copy of the mapping. A line names the column id, its title, its codec and the
database column; it drives the query, decoding, SQL, the drift check and `monday_to_database_mapping.md`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconcile.columns import DATE, EMAIL, FILES, LINK, MONEY, NAME, PHONE, STATUS, TEXT, Column, ColumnMap
from reconcile.columns import MARKER as MARKER
from reconcile.errors import SyncError

if TYPE_CHECKING:  # the mapping alone must stay cheap to import: `--help` and replays from the cache never go online
    from monday.boards import BoardSchema
    from monday.completeness import ById, Known, Read
    from monday.current import CurrentBoards, CurrentReader
    from monday.jobs import Jobs
    from monday.rate_limit import ApiStats
    from monday.transport import Budget, Listener, Transport
    from monday.writing import Writer

# fmt: off
MASTER_PROJECT_COLUMN_MAP: ColumnMap = {
    "name": Column("Name", NAME, "projects.item_name"),
    "text95__1": Column("Current Stage", TEXT, "projects.current_stage"),
    "link__1": Column("Job Progress Link", LINK, "projects.link"),
    "text01__1": Column("Job Progress Name", TEXT, "projects.name"),
    "text40__1": Column("Job Progress Job Description", TEXT, "projects.description"),
    "text_7__1": Column("Company Cam link", TEXT, "projects.company_cam_link"),
    "numbers0": Column("Total price", MONEY, "projects.estimated_value"),
    "qb_total_payments__1": Column("Total Payment", MONEY, "projects.total_payment"),
    "claim_number__1": Column("Claim number", TEXT, "projects.claim_number"),
    "phone_17__1": Column("Adjuster number", PHONE, "projects.adjuster_phone"),
    "email57__1": Column("Adjuster email", EMAIL, "projects.adjuster_email"),
    "text65__1": Column("Job Progress Contact Full Name", TEXT, "customers.name"),
    "email4__1": Column("JP Contact Email", EMAIL, "customers.email"),
    "phone_1__1": Column("JP Contact Phone", PHONE, "customers.phone"),
    "text43__1": Column("Job Progress Customer note", TEXT, "customers.notes"),
    "dup__of_job_address0__1": Column("Jp Contact Address", TEXT, "properties.address"),
    "files9__1": Column("measurements", FILES, "properties.measurements", direction="read-only"),
    "files66__1": Column("One click codes", FILES, "properties.one_click_codes", direction="read-only"),
    "job_division___1__1": Column("Sales Team Name", STATUS, "sales_teams.name"),
    "partner_name__1": Column("Partner", TEXT, "users.name", role="Partner"),
    "partner_email__1": Column("Partner email", EMAIL, "users.email", role="Partner"),
    "partner_phone____1": Column("Partner phone", PHONE, "users.phone", role="Partner"),
    "text19__1": Column("Project manager name", TEXT, "users.name", role="Project Manager"),
    "email6__1": Column("PM email", EMAIL, "users.email", role="Project Manager"),
    "phone_13__1": Column("PM number", PHONE, "users.phone", role="Project Manager"),
    "job_est_1_name__1": Column("Estimator name", TEXT, "users.name", role="Estimator"),
    "email0__1": Column("Estimator Email", EMAIL, "users.email", role="Estimator"),
    "phone_10__1": Column("Estimator Number", PHONE, "users.phone", role="Estimator"),
    "dup__of_text6__1": Column("Superintendent name", TEXT, "users.name", role="Superintendent"),
    "dup__of_email__1": Column("Superintendent email", EMAIL, "users.email", role="Superintendent"),
    "dup__of_phone_1__1": Column("Superintendent phone", PHONE, "users.phone", role="Superintendent"),
    "text22__1": Column("Sales rep first name", TEXT, "users.first_name", role="Sales Representative"),
    "text49__1": Column("Sales rep last name", TEXT, "users.last_name", role="Sales Representative"),
    "email5__1": Column("Sales rep email", EMAIL, "users.email", role="Sales Representative"),
    "sales_rep_phone____1": Column("Sales rep phone", PHONE, "users.phone", role="Sales Representative"),
    "jp_pa_law_name__1": Column("Jp PA/Law", TEXT, "pa_law.name"),
    "jp_pa_law_email__1": Column("Pa/law email", EMAIL, "pa_law.email"),
    "jp_pa_law_phone__1": Column("PA/Law phone", PHONE, "pa_law.phone"),
    "dup__of_text0__1": Column("Policy number", TEXT, "policies.policy_number"),
    "text31__1": Column("Insurance company name", TEXT, "insurances.company_name"),
    "phone_132__1": Column("Insurance company phone number", PHONE, "insurances.company_phone"),
    "email05__1": Column("Insurance company email", EMAIL, "insurances.company_email"),
    "date_19__1": Column("Date of Loss", DATE, "storms.date_of_loss"),
}

SALES_STAFF_COLUMN_MAP: ColumnMap = {
    "name": Column("Name", NAME, "", direction="create-only"),
    "text25": Column("FIRST NAME", TEXT, "users.first_name", role="Sales Staff"),
    "text1": Column("LAST NAME", TEXT, "users.last_name", role="Sales Staff"),
    "email__1": Column("WRA Email", EMAIL, "users.email", role="Sales Staff"),
    "email7": Column("RM Email", EMAIL, "users.rm_email", role="Sales Staff"),
    "status_13": Column("TEAM NAME", STATUS, "users.monday_team", role="Sales Staff", also="sales_teams.name"),
    "files3": Column("IDENTIFICATION FILES", FILES, "users.identification_files", role="Sales Staff", direction="read-only"),
    "files_1": Column("ONBOARDING FILES", FILES, "users.onboarding_files", role="Sales Staff", direction="read-only"),
    "text6": Column("SHIRT SIZE", TEXT, "users.shirt_size", role="Sales Staff"),
    "phone": Column("PHONE", PHONE, "users.phone", role="Sales Staff"),
    "text": Column("ADDRESS", TEXT, "users.address", role="Sales Staff"),
    "text2": Column("CITY", TEXT, "users.city", role="Sales Staff"),
    "text5": Column("STATE", TEXT, "users.state", role="Sales Staff"),
    "text57": Column("ZIP", TEXT, "users.zip", role="Sales Staff"),
}

# fmt: on

BOARDS: dict[str, ColumnMap] = {
    "master": MASTER_PROJECT_COLUMN_MAP,
    "staff": SALES_STAFF_COLUMN_MAP,
}
"""Board name, as `--board` takes it → its columns. What else there is to know of a board: `reconcile/boards.py`."""

MARKER_TITLE = "Sync ID"
"""What `--setup-marker` calls the column `MARKER`, in which a new item carries the id of its row: by it the item is
found again if the answer to its creation is lost, or if the database forgot it."""

STAGE_STATUS: dict[str, str] = {
    "new lead": "pending",
    "lead": "pending",
    "inspection scheduled": "pending",
    "inspected": "pending",
    "estimate sent": "pending",
    "claim filed": "active",
    "adjuster meeting": "active",
    "approved": "active",
    "contract signed": "active",
    "materials ordered": "active",
    "in production": "active",
    "final inspection": "active",
    "scheduled": "active",
    "supplement": "active",
    "invoiced": "active",
    "completed": "completed",
    "paid in full": "completed",
    "closed": "completed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "denied": "cancelled",
    "lost": "cancelled",
}
"""`projects.current_stage`, casefolded → `projects.status`. Another stage gives `pending` and is reported."""


class MondayClient:
    """Both boards as the rest of the program sees them; a `with` block closes its connections.

    `boards` names the boards to read, board name → board id. A read-only client cannot send a mutation. `sleep` and
    `clock` (monotonic seconds) are for tests. `budget` counts the calls of the day.
    """

    def __init__(
        self,
        token: str,
        boards: Mapping[str, int],
        *,
        url: str | None = None,
        version: str | None = None,
        read_only: bool = True,
        at_once: int | None = None,
        mappings: Mapping[str, ColumnMap] = BOARDS,
        on_event: Listener | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        budget: Budget | None = None,
    ) -> None:
        """Raises ConfigError for a token that cannot be one."""
        from monday.reading import Reader
        from monday.transport import API_URL, MOST_AT_ONCE, Transport, deaf
        from monday.versions import ASKED

        self.boards = dict(boards)
        self._mappings = mappings
        self._sleep = sleep
        self._on_event = on_event or deaf
        self.transport: Transport = Transport(
            token,
            url=url or API_URL,
            version=version or ASKED,
            mutations=not read_only,
            at_once=at_once or MOST_AT_ONCE,
            on_event=on_event or deaf,
            sleep=sleep,
            clock=clock,
            boards=self.boards,
            budget=budget,
        )
        self._reader = Reader(
            self.transport, boards, mappings, width=at_once or MOST_AT_ONCE, on_event=on_event or deaf
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every wait and drop the connections."""
        if "jobs" in vars(self):
            self.jobs.close()
        self.transport.close()

    @property
    def stats(self) -> ApiStats:
        """Requests, mutations, complexity, retries and waiting so far."""
        return self.transport.stats

    @property
    def answered_version(self) -> str | None:
        """The API version that the last answer was made by; None before the first."""
        return self.transport.answered_version

    @property
    def answered_at(self) -> datetime | None:
        """monday's time of the last answer, from its Date header; None where it told none."""
        told = self.transport.told_date
        try:
            moment = parsedate_to_datetime(told) if told else None
        except ValueError:
            return None
        return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None

    def preflight(self) -> dict[str, BoardSchema]:
        """The boards with columns, groups and counts, in one request. Raises DriftError for an absent board."""
        return self._reader.preflight()

    def full(self, schemas: dict[str, BoardSchema], known: Known | None = None) -> Read:
        """Every item; `known` are the ids that were active before: those that do not come are asked for by id."""
        return self._reader.full(schemas, known or {})

    def full_calls(self, schemas: Mapping[str, BoardSchema]) -> int:
        """Requests that `full` makes for boards as they are."""
        return self._reader.full_calls(schemas)

    def changed(self, watermarks: Mapping[str, datetime], known: Known, extra_ids: Known | None = None) -> Read:
        """What changed since the watermarks, and `extra_ids` in any case; one request when nothing did."""
        return self._reader.changed(watermarks, known, extra_ids or {})

    def limited(self, schemas: dict[str, BoardSchema], limit: int) -> Read:
        """At most `limit` items of each board."""
        return self._reader.limited(schemas, limit)

    def items_by_id(self, board: str, ids: Collection[int]) -> Iterator[ById]:
        """The named items of one board, 500 a request, and what became of those that are not there."""
        return self._reader.items_by_id(board, ids)

    def look(self, ids: Mapping[str, Collection[int]], *, rules: bool = False) -> CurrentBoards:
        """What the named items show (board name → ids), with all that a write must know: columns, labels, the user; with
        `rules` also what the boards ask of their items, in the same request."""
        return self.looker.look(ids, rules=rules)

    @cached_property
    def looker(self) -> CurrentReader:
        """Everything that a write has to read."""
        from monday.current import CurrentReader

        return CurrentReader(self.transport, self.boards, self._mappings, marker=MARKER, on_event=self._on_event)

    @cached_property
    def writer(self) -> Writer:
        """Sends batches of changes; a read-only client refuses each."""
        from monday.writing import Writer

        return Writer(self.transport, self.boards, self._mappings, on_event=self._on_event)

    @cached_property
    def jobs(self) -> Jobs:
        """Bulk jobs."""
        from monday.jobs import Jobs

        return Jobs(self.transport, sleep=self._sleep)

    def daily_limit(self) -> int | None:
        """Calls a day of the account; None where monday does not tell."""
        return self._reader.daily_limit()


def main() -> int:
    """Try the connection alone: account, version, both boards and the budget. Returns the exit code."""
    from settings import load_settings
    from terminal.say import say, say_error

    try:
        settings = load_settings(need_database=False)
        with MondayClient(
            settings.monday_api_key or "",
            settings.board_ids,
            url=settings.monday_api_url,
            version=settings.monday_api_version,
        ) as client:
            for line in connection_report(client):
                say(line)
    except SyncError as error:
        say_error(error)
        return error.exit_code
    return 0


def connection_report(client: MondayClient) -> Iterator[str]:
    """What the connection shows, line by line. Raises SyncError when it does not work."""
    schemas = client.preflight()
    daily = client.daily_limit()
    account = next(iter(schemas.values()))
    yield f"account   {account.account_name} ({account.account_id})"
    yield f"version   {client.answered_version or 'not told'}, asked for {client.transport.version}"
    for name, schema in schemas.items():
        drift = schema.drift(BOARDS[name])
        fatal = sum(column.fatal for column in drift)
        state = f"{fatal} mapped columns missing or retyped" if fatal else "all mapped columns there"
        yield f"{name:<9} {schema.title} ({schema.id}): {schema.items_count:,} items, {state}"
    points = client.stats.points_left
    yield f"budget    {'unknown' if daily is None else f'{daily:,}'} calls a day; " + (
        "points of this minute not told" if points is None else f"{points:,} points left of this minute"
    )


if __name__ == "__main__":
    from terminal.streams import make_streams_safe

    make_streams_safe()
    sys.exit(main())
