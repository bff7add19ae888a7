"""The lease: one run at a time, over hosts and through a pooler, and never a late write by a run that slept.

A session lock would outlive its client on a pooled connection, so the lease is a row that expires. Only the database's
clock decides about it; on this side its remaining time is counted from before the last renewal was sent.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg2 import errors

from postgres.transaction import Params, Transaction, Transactor
from reconcile.errors import LeaseHeld, SyncError

logger = logging.getLogger(__name__)

TTL_S: Final = 120
RENEW_EVERY_S: Final = 30

# A live lease is seen in the WITH part, without a lock, so that a second run ends at once and does not queue up behind
# the first one's transaction. %(dead)s is a holder whose process is known to be gone.
_ACQUIRE = """
WITH held AS (
    SELECT FROM monday_sync.sync_lease
    WHERE name = %(name)s AND expires_at >= clock_timestamp() AND holder NOT IN (%(holder)s, %(dead)s)
)
INSERT INTO monday_sync.sync_lease AS lease (name, holder, fence, expires_at)
SELECT %(name)s, %(holder)s, 1, clock_timestamp() + make_interval(secs => %(ttl_s)s)
WHERE NOT EXISTS (SELECT FROM held)
ON CONFLICT (name) DO UPDATE
SET holder = EXCLUDED.holder, fence = lease.fence + 1, expires_at = EXCLUDED.expires_at
WHERE lease.expires_at < clock_timestamp() OR lease.holder IN (%(holder)s, %(dead)s)
RETURNING fence
"""
_HOLDER = """
SELECT holder, to_char(expires_at - make_interval(secs => %s), 'HH24:MI:SS'), to_char(expires_at, 'HH24:MI:SS')
FROM monday_sync.sync_lease WHERE name = %s AND expires_at >= clock_timestamp()
"""
_RENEW = """
UPDATE monday_sync.sync_lease SET expires_at = clock_timestamp() + make_interval(secs => %s)
WHERE name = %s AND holder = %s AND fence = %s
"""
_FENCE = "SELECT 1 FROM monday_sync.sync_lease WHERE name = %s AND holder = %s AND fence = %s FOR UPDATE"
_RELEASE = """
UPDATE monday_sync.sync_lease SET holder = '', expires_at = '-infinity'
WHERE name = %s AND holder = %s AND fence = %s
"""


_HELD = """
SELECT holder, to_char(expires_at, 'HH24:MI:SS') FROM monday_sync.sync_lease
WHERE holder <> '' AND expires_at >= clock_timestamp()
"""


def seconds_up() -> float:
    """Seconds on a clock that no one sets and that, where the system has one, goes on while the machine sleeps."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Lease:
    """One run's hold on the lease `name`: acquire, keep, check in every writing transaction, release."""

    def __init__(self, *, name: str = "sync", ttl_s: float = TTL_S, clock: Callable[[], float] = seconds_up) -> None:
        self.name = name
        self.holder = str(Holder.myself())
        self.fence: int | None = None
        self._ttl_s = ttl_s
        self._clock = clock
        self._renewed_at = float("-inf")
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, tx: Transaction, before: Sequence[tuple[str, Params]] = ()) -> None:
        """Take the lease in the caller's transaction, in one round trip with the statements `before`; it is held once
        that commits.

        A dead run of this machine is replaced at once, another machine's when its lease expires. Raises LeaseHeld.
        """
        started = self._clock()
        fence = self._take(tx, dead="", before=before)
        if fence is None:
            fence = self._take_from_dead(tx)
        self.fence, self._renewed_at = fence, started
        logger.info("lease acquired name=%s fence=%d", self.name, fence)

    def keep(self, database: Transactor, *, every_s: float = RENEW_EVERY_S) -> None:
        """Renew in the background until `stop` or `release`, on a Database that nobody else uses; once is enough."""
        if self._thread is not None:
            return
        self._stopped.clear()
        self._thread = threading.Thread(target=self._renew, args=(database, every_s), name="lease", daemon=True)
        self._thread.start()

    def check_fence(self, tx: Transaction) -> None:
        """Prove, first thing in a writing transaction, that the lease is still ours, and keep it so until COMMIT.

        Raises LeaseHeld when another run has it: nothing of this transaction may be committed then.
        """
        if tx.one(_FENCE, (self.name, self.holder, self.fence)) is None:
            self._renewed_at = float("-inf")
            raise LeaseHeld("Another run took the lease while this one was held up: nothing more is written.")

    def remaining_s(self) -> float:
        """Seconds for which the lease is certainly ours, 0 when it is lost or was never held."""
        return max(0.0, self._renewed_at + self._ttl_s - self._clock())

    def require(self, margin_s: float) -> None:
        """Raise LeaseHeld unless the lease lasts `margin_s` more: the longest a request about to be sent can take."""
        if self.remaining_s() < margin_s:
            raise LeaseHeld(
                f"The lease could not be renewed in time ({self.remaining_s():.0f} s left): nothing more is sent; "
                "run it again."
            )

    def renew(self, database: Transactor) -> bool:
        """Extend the lease now; False when it is no longer ours."""

        def extend(tx: Transaction) -> tuple[bool, float]:
            started = self._clock()
            ours = tx.execute(_RENEW, (self._ttl_s, self.name, self.holder, self.fence)) == 1
            return ours, started

        ours, started = database.transact(extend, read_only=False, label="renewing the lease")
        self._renewed_at = started if ours else float("-inf")
        return ours

    def release(self, tx: Transaction, before: Sequence[tuple[str, Params]] = ()) -> None:
        """Let go in the caller's transaction, in one round trip with the statements `before`.

        A renewal that is still under way then finds nothing to renew. Raises LeaseHeld when it was ours no longer.
        """
        self._stopped.set()
        if not tx.batch([*before, (_RELEASE, (self.name, self.holder, self.fence))]):
            raise LeaseHeld("Another run took the lease while this one was held up: nothing more is written.")

    def let_go(self, tx: Transaction, before: Sequence[tuple[str, Params]] = ()) -> None:
        """The same of a run that failed, whether the lease is still its own or not."""
        self._stopped.set()
        tx.batch([*before, (_RELEASE, (self.name, self.holder, self.fence))])

    def stop(self) -> None:
        """End the renewals, waiting a moment for one that is under way."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
            self._thread = None

    def _take(self, tx: Transaction, dead: str, before: Sequence[tuple[str, Params]] = ()) -> int | None:
        params = {"name": self.name, "holder": self.holder, "dead": dead, "ttl_s": self._ttl_s}
        try:
            taken = tx.batch_one([*before, (_ACQUIRE, params)])
        except errors.LockNotAvailable:  # expired, but its run is inside a transaction and cannot be replaced now
            raise LeaseHeld("Another run holds the lease and is writing: run it again when that one is done.") from None
        return int(taken[0]) if taken else None

    def _take_from_dead(self, tx: Transaction) -> int:
        found = tx.one(_HOLDER, (self._ttl_s, self.name))
        holder, since, until = found or ("", "?", "?")
        fence = self._take(tx, dead=holder) if Holder.parse(holder).is_dead() else None
        if fence is None:
            raise LeaseHeld(
                f"Another run holds the lease ({Holder.parse(holder).shown()}, renewed {since}, until {until} UTC): "
                "run it again when that one is done."
            )
        logger.warning("lease taken over from a dead run holder=%s", Holder.parse(holder).shown())
        return fence

    def _renew(self, database: Transactor, every_s: float) -> None:
        while not self._stopped.wait(every_s):
            try:
                ours = self.renew(database)
            except SyncError as error:  # the next round tries again; `require` and `check_fence` watch the time
                logger.warning("lease not renewed remaining_s=%.0f reason=%s", self.remaining_s(), error)
            else:
                if not ours and not self._stopped.is_set():
                    logger.error("lease lost name=%s", self.name)
                if not ours:
                    break
            finally:
                database.close()  # never an idle connection


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease: `host:pid:place.birth.random`.

    `place` tells this boot of this machine and its space of process ids from all others, `birth` a process from a
    later one with the same id. Both are needed before a process may be called dead.
    """

    host: str
    pid: int
    place: str
    birth: str
    token: str

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}:{self.place}.{self.birth}.{self.token}"

    @classmethod
    def myself(cls) -> Holder:
        return cls(socket.gethostname(), os.getpid(), _place(), _birth(os.getpid()) or "0", secrets.token_hex(6))

    @classmethod
    def parse(cls, text: str) -> Holder:
        """Read a stored holder; one that is not ours to read has pid 0 and is never dead."""
        host, _, rest = text.rpartition(":")
        host, _, pid = host.rpartition(":")
        place, _, tail = rest.partition(".")
        birth, _, token = tail.partition(".")
        return cls(host, int(pid) if pid.isdecimal() else 0, place, birth, token)

    def shown(self) -> str:
        return f"pid {self.pid} on {self.host}" if self.pid else "a run that does not say who it is"

    def is_dead(self) -> bool:
        """Say whether its process is certainly gone: only a process of this very machine can be asked about."""
        if sys.platform == "win32" or self.pid <= 0 or (self.host, self.place) != (socket.gethostname(), _place()):
            return False
        if not _exists(self.pid):
            return True
        return Path("/proc/self/stat").exists() and _birth(self.pid) != self.birth


def held_by(tx: Transaction) -> tuple[Holder, str] | None:
    """Who has the lease, and until when at least (HH:MM:SS, UTC); None where it is free."""
    found = tx.one(_HELD)
    return None if found is None else (Holder.parse(found[0]), found[1])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    return True


def _birth(pid: int) -> str | None:
    """When a process started, in ticks since boot; None for a zombie, no such process, or a system without /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # from the third field on: state is 3, starttime is 22
    return None if fields[0] == "Z" else fields[19]


def _place() -> str:
    """This boot of this machine, and its process id namespace: equal host names are common among containers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        place = f"{boot}{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        place = str(uuid.getnode())
    return hashlib.sha256(place.encode()).hexdigest()[:12]
