"""`python -m bench`: measure the sync beside a bare reader, print what is reached, write the figures to a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench.figures import Bench, pages
from bench.goals import goals
from bench.measure import machine
from bench.profiling import profile
from bench.report import as_table, summary
from bench.rig import GROUPS, postgres_version, rig
from bench.scenarios import CHANGED, SCENARIOS


def _sizes(_context: click.Context, _parameter: click.Parameter, value: str) -> list[int]:
    try:
        return [int(part.replace("_", "")) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter("numbers such as 2000,20000 are wanted") from None


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--items", "sizes", default="2000,20000", callback=_sizes, help="Projects on the board, several sizes.")
@click.option("--only", multiple=True, type=click.Choice(list(SCENARIOS)), help="Only this; may be given again.")
@click.option("--runs", default=3, type=click.IntRange(min=1), help="Runs of each; the median counts.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures there as JSON.")
@click.option("--profile", "profiled", is_flag=True, help="Instead: print where the time goes inside.")
@click.option("--sort", default="tottime", type=click.Choice(["tottime", "cumulative"]), help="Order of --profile.")
@click.option("--top", default=40, help="Functions that --profile prints.")
def main(
    sizes: list[int], only: tuple[str, ...], runs: int, out: Path | None, profiled: bool, sort: str, top: int
) -> None:
    """Measure the sync on boards of several sizes. Nothing is asserted: read the last column."""
    if profiled:
        for items in sizes:
            profile(items, top=top, sort=sort)
        return
    result: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "runs": runs, "sizes": {}}
    for items in sizes:
        with rig(items) as made:
            result.setdefault("machine", machine(postgres_version(made)))
            bench = Bench(made, runs, lambda line: click.echo(line, err=True))
            failed: dict[str, str] = {}
            for name in only or SCENARIOS:
                try:
                    SCENARIOS[name](bench)
                except RuntimeError as error:  # the figures until there, and those of the others, are worth having
                    failed[name] = str(error)
                    click.echo(f"{name} FAILED: {error}", err=True)
        wanted = goals(items, CHANGED, pages(items), GROUPS)
        found = {"figures": summary(bench.figures, wanted), "stages": bench.stages, "failed": failed}
        result["sizes"][str(items)] = found
        click.echo(as_table(items, bench.figures, wanted))
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    facts = result["machine"]
    click.echo(f"\n{facts['cpu']}, {facts['cores']} cores, Python {facts['python']}, PostgreSQL {facts['postgres']}")


if __name__ == "__main__":
    main()
