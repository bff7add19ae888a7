"""Coverage-guided fuzzing of what reads bytes from outside, with atheris: `make fuzz FUZZ_SECONDS=60`.

Each target of `tests.support.fuzz_targets` runs in a process of its own, since libFuzzer never returns. What it learned
stays in `.fuzz/<target>/corpus`, so the next run goes on from there; an input that broke a promise is kept in
`.fuzz/<target>/failures` and tried first from then on. `--again FILE` shows one without atheris.

Edges are those of this program and the Python of usaddress and python-dotenv; msgspec and crfsuite are C and give none.
Hence values are changed inside good JSON: in the first minute that reached 220 edges of the items' code, changed bytes
201, and the Hypothesis tests of `test_hostile.py`, driven through `fuzz_one_input`, 84. For addresses coverage leads
nowhere: the seeds reach all 93 edges that 270,000 inputs do, so there it is the laws alone that may find something.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".fuzz"
INSTRUMENTED = ["cli", "data_cache", "dotenv", "monday", "postgres", "reconcile", "usaddress"]
TELL_EVERY_S = 15.0
SLOW_S, HANGS_S, MEMORY_MB = 1.0, 20, 512
"""One input of less than 4 kB may take so long of processor time, any input so long at all, and the process so much."""

_STATUS = re.compile(r"#(?P<runs>\d+)\s+\S+ +cov: (?P<edges>\d+) ft: \d+ corp: (?P<kept>\d+)/.*exec/s: (?P<rate>\d+)")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", default=60, help="For each target.")
@click.option("--only", multiple=True, help="This target; may be given again.")
@click.option("--again", type=click.Path(exists=True, path_type=Path), help="Take one input as its folder's target.")
@click.option("--inside", hidden=True, help="The target of this process.")
def main(seconds: int, only: tuple[str, ...], again: Path | None, inside: str | None) -> None:
    """Look for an input that breaks a promise; exit code 1 when there is one."""
    if inside is not None:
        _fuzz(inside, seconds)
    if again is not None:
        _take(again.resolve().parent.parent.name)(again.read_bytes())
        click.echo("nothing is broken")
        return
    from tests.support.fuzz_targets import TARGETS

    if unknown := set(only) - TARGETS.keys():
        raise click.UsageError(f"there is no {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    failed = [name for name in only or TARGETS if not _holds(name, seconds)]
    if failed:
        click.echo(f"broken: {', '.join(failed)}", err=True)
    sys.exit(1 if failed else 0)


def _holds(name: str, seconds: int) -> bool:
    """Run one target, say how it goes, and whether nothing was found."""
    command = [sys.executable, "-m", "tests.fuzz", "--inside", name, "--seconds", str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace") as fuzzer:
        assert fuzzer.stderr is not None
        said = list(_told(name, fuzzer.stderr))
    if fuzzer.returncode == 0:
        return True
    click.echo("".join(said[-40:]))
    for path in re.findall(r"Test unit written to (.+)", "".join(said)):
        click.echo(f"{name}: once more with {sys.executable} -m tests.fuzz --again {path}")
    return False


def _told(name: str, lines: Iterator[str]) -> Iterator[str]:
    """The lines that are no figures; of the figures the first, one every fifteen seconds, and the last."""
    started, told_at, first, figures = time.monotonic(), 0.0, None, None
    for line in lines:
        now = time.monotonic()
        if found := _STATUS.match(line):
            figures = found
            first = first or found["edges"]
            if now - told_at > TELL_EVERY_S:
                told_at = now
                _tell(name, now - started, figures, first)
        elif not line.startswith(("#", "INFO", "WARNING: Failed to find function", "\tNEW_FUNC", "\n")):
            yield line
    if figures is not None:
        _tell(name, time.monotonic() - started, figures, first or "")


def _tell(name: str, took_s: float, figures: re.Match[str], first: str) -> None:
    click.echo(
        f"{name:<13}{took_s:>6.0f} s {int(figures['runs']):>12,} runs {int(figures['rate']):>8,}/s   "
        f"edges {first} → {figures['edges']}, {figures['kept']} inputs kept"
    )


# Inside the process of one target -------------------------------------------------------------------------------------


def _take(name: str) -> Callable[[bytes], None]:
    """The target, and that it takes no more than its time."""
    from tests.support.fuzz_targets import TARGETS

    take = TARGETS[name].take

    def in_time(data: bytes) -> None:
        started = time.process_time()
        take(data)
        took_s = time.process_time() - started
        assert took_s < SLOW_S or len(data) >= 4096, f"{len(data)} bytes took {took_s:.1f} s"

    return in_time


def _fuzz(name: str, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        for module in ("usaddress", "dotenv"):  # the program imports them where it first needs them
            import_module(module)
        from tests.support.fuzz_targets import TARGETS
    target = TARGETS[name]
    corpus, seeds, failures = (WORK / name / part for part in ("corpus", "seeds", "failures"))
    for folder in (corpus, seeds, failures):
        folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (seeds / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": target.longest,
        "timeout": HANGS_S,
        "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{failures}/",
    }
    arguments = ["fuzz", *map(str, (corpus, seeds, failures)), *(f"-{key}={value}" for key, value in options.items())]

    def mutate(data: bytes, longest: int) -> bytes:
        made: bytes = atheris.Mutate(data, longest)  # looked up late: `Fuzz` puts another function there
        return made

    own = {"custom_mutator": _changed_in_json(mutate)} if target.is_json else {}
    atheris.Setup(arguments, _take(name), **own)
    atheris.Fuzz()


def _changed_in_json(mutate: Callable[[bytes, int], bytes]) -> Callable[[bytes, int, int], bytes]:
    """Mostly some values in the JSON of one line, else bytes: the parser is C and gives no hint how to get past it."""

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        dice = random.Random(seed)
        lines = data.split(b"\n")
        at = dice.randrange(len(lines))
        try:
            value = json.loads(lines[at])
        except (ValueError, RecursionError):
            value = None
        places = list(_places(value))
        if not places or dice.random() < 0.2:
            return mutate(data, longest)
        for _ in range(dice.choice((1, 1, 1, 2, 4))):
            _change(places, dice, mutate)
        lines[at] = json.dumps(value, separators=(",", ":")).encode()
        made = b"\n".join(lines)
        return made if len(made) <= longest else mutate(data, longest)

    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container and key of a value in JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield value, key
        yield from _places(part)


_OTHERS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    1.5,
    "",
    " ",
    "\0",
    "\ud800",
    "9" * 30,
    [],
    {},
    [[]],
    {"a": None},
)


def _change(places: list[tuple[Any, Any]], dice: random.Random, mutate: Callable[[bytes, int], bytes]) -> None:
    holder, key = dice.choice(places)
    try:
        was = holder[key]
    except (KeyError, IndexError):  # an earlier change took it away
        return
    match dice.randrange(10):
        case 0:
            del holder[key]
        case 1:
            holder[key] = dice.choice(_OTHERS)
        case 2:
            other, its_key = dice.choice(places)
            with_it = other.get(its_key) if isinstance(other, dict) else None
            holder[key] = with_it if isinstance(with_it, str | int | float | None) else was
        case 3 if isinstance(holder, list):
            holder.insert(key, was)
        case _:
            raw = was if isinstance(was, str) else json.dumps(was)
            made = mutate(raw.encode(errors="surrogatepass"), max(64, 2 * len(raw))).decode(errors="surrogateescape")
            holder[key] = made if isinstance(was, str) else _read(made)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


if __name__ == "__main__":
    main()
