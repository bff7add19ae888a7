"""`python -m sandbox`: a seeded sandbox in a process of its own, until it is interrupted or terminated."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType

import click

from sandbox.boards import MASTER_BOARD_ID, STAFF_BOARD_ID
from sandbox.faults import FAULTS
from sandbox.limits import Limits
from sandbox.local import Sandbox
from sandbox.seed import seed_world


def _list_faults(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        for kind, fault in FAULTS.items():
            click.echo(f"{kind:26}{fault.says}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--items", default=2000, help="Active projects on the master board.")
@click.option("--staff", default=120, help="People on the staff board.")
@click.option("--seed", default=7, help="The same seed gives the same company.")
@click.option("--groups", default=10, help="Groups of the master board.")
@click.option("--skew", default=0.0, help="Share of the projects in the first group; 0 spreads them evenly.")
@click.option("--port", default=0, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--token", default=None, help="The only token that is taken; without it any is.")
@click.option("--latency-ms", default=0.0, help="Milliseconds that each answer takes.")
@click.option("--per-item-ms", default=0.0, help="Milliseconds more for each item in the answer.")
@click.option("--concurrency", default=1000, help="Requests at once before they are refused.")
@click.option("--minute-calls", default=1_000_000, help="Requests a minute before they are refused.")
@click.option("--daily-calls", default=1_000_000, help="Requests a day before they are refused.")
@click.option("--gzip", is_flag=True, help="Compress answers where the client takes it.")
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="File to go on from, and to leave the boards in."
)
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_faults,
    help="Say what can go wrong, and end.",
)
def main(
    items: int,
    staff: int,
    seed: int,
    groups: int,
    skew: float,
    port: int,
    token: str | None,
    latency_ms: float,
    per_item_ms: float,
    concurrency: int,
    minute_calls: int,
    daily_calls: int,
    gzip: bool,
    state: Path | None,
) -> None:
    """Play monday.com on loopback. Prints the address and the ids of the two boards, one line each."""
    world = None if state is not None and state.exists() else seed_world(items, staff, seed, groups, skew)
    limits = Limits(minute_calls=minute_calls, concurrency=concurrency, daily_calls=daily_calls)
    sandbox = Sandbox(world, token=token, limits=limits, port=port, gzip=gzip, state_file=state)
    sandbox.set_latency(latency_ms, per_item_ms)
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    with sandbox:
        click.echo(f"url={sandbox.api_url}")
        click.echo(f"master_board_id={MASTER_BOARD_ID}")
        click.echo(f"staff_board_id={STAFF_BOARD_ID}")
        ended.wait()


if __name__ == "__main__":
    main()
