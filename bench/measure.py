"""One process, measured from outside as a person or cron pays for it: interpreter start included. Linux only."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_CPU_OWN = slice(11, 13)  # utime, stime of /proc/PID/stat, counted behind the name (man proc_pid_stat)
_CPU_CHILDREN = slice(13, 15)  # cutime, cstime: children that have ended and were waited for


@dataclass(slots=True)
class Sample:
    """One run: seconds of wall and of its own CPU, the peak of its memory, and what the servers say about it."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    requests: int = 0
    mutations: int = 0
    sandbox_cpu_s: float = 0.0
    postgres_cpu_s: float = 0.0
    rows_written: int = 0
    items_written: int = 0
    stages: dict[str, float] = field(default_factory=dict)


def run(command: Sequence[str], env: Mapping[str, str], *, allowed: Sequence[int] = (0,)) -> tuple[Sample, str]:
    """Run a command to its end; the sample and its stdout. Raises RuntimeError for an exit code that is not allowed.

    Linux hands the peak of the process that starts a command on to it, so this process must stay small itself.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=PROJECT, env=dict(env), stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode not in allowed:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{err.read()[-3000:]}")
        return Sample(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), out.read()


def cpu_s(pid: int) -> float:
    """CPU seconds of a running process, its threads included."""
    return _cpu(pid, _CPU_OWN)


def ended_children_cpu_s(pid: int) -> float:
    """CPU seconds of a process's children that have ended: of a PostgreSQL server, its closed connections."""
    return _cpu(pid, _CPU_CHILDREN)


def _cpu(pid: int, fields: slice) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    behind_name = stat[stat.rindex(")") + 2 :].split()
    return sum(int(ticks) for ticks in behind_name[fields]) / _TICKS_A_SECOND


def machine(postgres_version: str) -> dict[str, Any]:
    """What a figure depends on beside the program."""
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in cpus if line.startswith("model name")), "")
    return {
        "cpu": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgres": postgres_version,
    }


def last_json(text: str) -> dict[str, Any]:
    """The JSON object that a command printed."""
    found: dict[str, Any] = json.loads(text)
    return found
