"""The end of a run: plan inside one transaction, guard, apply, remember, report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

import timing
from monday_api import MARKER, STAGE_STATUS
from postgres import boards, migrate
from postgres.board_names import describe
from postgres.boards import BoardRead
from postgres.changes import pruned
from postgres.ids import claims_query, keep_claims
from postgres.load_pull import PullLoader
from postgres.names import row_names
from postgres.rules import read_rules
from postgres.state import OpenIssues, read_standing
from postgres.transaction import Params, Transaction
from postgres.write_pull import Applied, Applier
from pull.approve import plan_as_approved
from pull.read import CLOCKS_AGREE, Snapshot, revisions
from pull.summary import PullResult, fill_report, named_rows, new_names, preview
from reconcile.approval import pull_as_approved
from reconcile.errors import UnsafePlan
from reconcile.guards import BoardSize, Thresholds, guard_plan, guard_read
from reconcile.layout import Layout
from reconcile.plan_pull import Plan, plan_pull
from run.approved import keep_plan
from run.conflicts import Names, item_name
from run.context import Run
from run.news import closing, fill_news, values_judged
from run.record import run_record
from run.saved_plan import SavedPlan
from run.start import RunStart


def apply(run: Run, start: RunStart, snapshot: Snapshot, tx: Transaction, *, approved: SavedPlan | None = None) -> None:
    """Everything after the read, repeatable as a whole. Raises UnsafePlan before anything is written."""
    options = run.options
    thresholds = Thresholds(
        options.max_change,
        options.max_delete,
        accept_shrink=options.accept_shrink,
        resync=options.resync,
        adopt_anyway=options.yes or options.adopt is not None,
        second_rows=options.yes,
    )
    if not run.dry and _has_news(start, snapshot):
        run.lease.check_fence(tx)  # else releasing the lease proves that it was ours, and saves a round trip
    parts = not options.resync and start.every_board is not None
    layouts = start.every_board if parts and start.every_board is not None else run.layouts

    def plan_anew() -> tuple[PullLoader, Plan]:
        loader = PullLoader(tx, layouts, start.present, forget=options.resync, part=parts)
        return loader, _plan(run, start, snapshot, loader, layouts)

    loader, plan = plan_as_approved(run, snapshot, approved, plan_anew)
    names = _names(run, start, plan, OpenIssues(), tx)
    preview(run, plan, names)
    _guard(run, start, snapshot, plan, thresholds, names, tx)
    if not options.yes:  # which says that they are other jobs
        plan.would_merge += plan.lookalikes
    if run.dry and plan.writes:
        run.report.notes += read_rules(tx).note()
    if options.plan is not None:
        items = {base.item: item_name(run.layouts[base.board], base.monday) or "" for base in plan.items}
        keep_plan(run, start, plan.digest(), pull_as_approved(plan, layouts), items, names)
    applied = None if run.dry else Applied()
    if not run.dry and _has_news(start, snapshot):
        with timing.stage("apply"):
            applied = Applier(tx, layouts, loader.database, run.run_id).apply(plan, forget=options.resync)
            if parts:
                migrate.keys_are_new(tx)
            migrate.link(tx, start.unlinked)
    standing = _tell(run, start, snapshot, plan, applied, names, tx)
    if not run.dry:
        news = closing(run, tx, start.present, standing, [run.environment(), values_judged(standing)])
        records = [*pruned(run.settings.keep_days), *run.calls.statements(), run_record(run, tx.encoding)]
        remembered = [*_remember_boards(run, start, snapshot, plan), *_describe_boards(run, snapshot, tx)]
        run.lease.release(tx, [*remembered, *news, *records])


def _guard(
    run: Run, start: RunStart, snapshot: Snapshot, plan: Plan, thresholds: Thresholds, names: Names, tx: Transaction
) -> None:
    """A plan that is refused is shown all the same, whatever the run: nobody can judge what he does not see."""
    try:
        guard_read(_sizes(start, snapshot), thresholds)
        guard_plan(plan, {board: len(start.active(board)) for board in run.board_ids}, thresholds)
    except UnsafePlan:
        _tell(run, start, snapshot, plan, None, names, tx)
        raise


def _tell(
    run: Run, start: RunStart, snapshot: Snapshot, plan: Plan, applied: Applied | None, names: Names, tx: Transaction
) -> OpenIssues:
    standing = _standing(run, start, snapshot, plan, tx, carried_out=applied is not None)
    names = {**_names(run, start, plan, standing, tx, known=names), **names}
    fill_report(run, PullResult(plan, applied, standing, names))
    fill_news(run, standing, [run.environment()])
    return standing


def _names(
    run: Run, start: RunStart, plan: Plan, standing: OpenIssues, tx: Transaction, known: Names = MappingProxyType({})
) -> Names:
    """What people call the rows that the report points at; no query where it points at none."""
    wanted = {table: rows - known.keys() for table, rows in named_rows(run, plan, standing).items()}
    found = row_names(tx, start.present, wanted)
    return new_names(plan, {row for rows in wanted.values() for row in rows} - found.keys()) | found


def _standing(
    run: Run, start: RunStart, snapshot: Snapshot, plan: Plan, tx: Transaction, *, carried_out: bool
) -> OpenIssues:
    """What stays open. A plan that is not carried out says what would, if it were."""
    proved = [board for board in snapshot.filters if snapshot.is_complete(board)]
    claims = partial(claims_query, tx, run.layouts, start.present, proved)
    if carried_out:
        standing = read_standing(tx, start.present, claims=claims())
        if not standing.claims and not standing.claims_over:
            return standing
        keep_claims(tx, run.run_id, standing.claims, standing.claims_over)
        return read_standing(tx, start.present)
    ids = run.every_board
    planned = {(ids[item.board], item.id) for item in plan.items}
    if run.options.resync:  # which forgets what was open, too
        planned |= {(ids[board], item_id) for board in ids for item_id in start.known(board)}
    gone = {(ids[item.board], item.item_id) for item in plan.departed if item.archive}
    landing = [(item.board, item.id) for item in plan.items]
    opened = {lost.place for lost in plan.conflicts if lost.open}
    return read_standing(
        tx,
        start.present,
        planned=planned,
        gone=gone,
        undecided=[(ids[board], item_id, field) for (board, item_id), field in plan.undecided - opened],
        told=start.tells_of_losses,
        claims=claims(landing) if start.journaled else None,
        forgets=run.options.resync,
        remembers=start.remembers,
        linked={row for item in plan.items for row in item.links if row is not None},
    )


def _has_news(start: RunStart, snapshot: Snapshot) -> bool:
    """Whether there may be anything to write beside the record of the run."""
    return bool(
        start.unlinked
        or start.every_board
        or start.sync_state.astray
        or snapshot.gone
        or any(change_filter.states for change_filter in snapshot.filters.values())
    )


def _sizes(start: RunStart, snapshot: Snapshot) -> dict[str, BoardSize]:
    return {
        board: BoardSize(change_filter.seen, len(start.active(board)), snapshot.is_complete(board))
        for board, change_filter in snapshot.filters.items()
        if snapshot.modes[board] == "full"
    }


@timing.timed("plan")
def _plan(run: Run, start: RunStart, snapshot: Snapshot, loader: PullLoader, layouts: Mapping[str, Layout]) -> Plan:
    states = [state for change_filter in snapshot.filters.values() for state in change_filter.states.values()]
    if not states and not snapshot.gone and not loader.parts and not start.sync_state.astray:
        return Plan()  # nothing is asked of the database
    database, resolution, everyone = loader.load(states, snapshot.gone, start.sync_state.astray)
    plan = plan_pull(
        everyone,
        layouts,
        database,
        resolution,
        gone=snapshot.gone,
        stage_status=STAGE_STATUS,
        policy=run.options.on_conflict,
        adopt=run.options.adopt,
    )
    plan.left_behind, plan.lost = loader.left_behind, loader.lost
    return plan


def _remember_boards(run: Run, start: RunStart, snapshot: Snapshot, plan: Plan) -> Iterator[tuple[str, Params]]:
    """The watermark moves in the transaction of the data, after a read that proves something about the whole board."""
    for name in snapshot.filters:
        schema = snapshot.schemas.get(name)
        complete = snapshot.is_complete(name) and not any(board == name for board, _item in snapshot.left_out)
        yield boards.remember(
            BoardRead(
                board_id=run.board_ids[name],
                board=name,
                account_id=schema.account_id if schema else "",
                columns=revisions(run, schema) if schema else [],
                mapping_hash=start.hash_keys[name].hex() if complete else "",
                watermark=_watermark(run, start, name, snapshot) if complete else None,
                complete=complete,
                full=complete and snapshot.modes[name] == "full",
                tolerated=plan.tolerated[name],
            )
        )


def _describe_boards(run: Run, snapshot: Snapshot, tx: Transaction) -> Iterator[tuple[str, Params]]:
    """For people: what a board that was read is called, and what of it is not mapped."""
    for schema in snapshot.schemas.values():
        yield describe(
            tx.encoding,
            schema.id,
            schema.title,
            schema.account_slug or None,
            schema.beside({*run.mappings[schema.board], MARKER}),
        )


def _watermark(run: Run, start: RunStart, board: str, snapshot: Snapshot) -> datetime | None:
    """The newest change ever seen, or monday's time of this read. After a replay from the cache there is no watermark,
    and yet nothing may differ. One in the future of monday's own clock, which was set back, would hide what is changed
    until then."""
    before = start.watermark(run.board_ids[board])
    if before is None:
        known = max((known.updated_at for known in start.known(board).values()), default=None)
        before = None if known is None else datetime.fromtimestamp(known, UTC)
    moments = (before, snapshot.filters[board].newest, snapshot.asked_at)
    newest, told = max((moment for moment in moments if moment is not None), default=None), snapshot.told_at
    return told if newest is not None and told is not None and newest > told + CLOCKS_AGREE else newest
