"""`Idempotency-Key`: the same key within 30 minutes gets the stored answer, and nothing runs twice."""

from __future__ import annotations

import threading

import msgspec

from sandbox.clock import MINUTE_S, Clock
from sandbox.errors import refusal
from sandbox.faults import Reply

REPLAY_S = 30 * MINUTE_S
STORED_AT_MOST = 1_000_000


class _Entry(msgspec.Struct):
    at: float
    reply: Reply | None = None


class Idempotency:
    """Stored answers by key. What monday leaves open can be set: whether answers with errors are stored too."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        self.enabled = True
        self.stores_errors = True

    def begin(self, key: str) -> Reply | None:
        """The stored answer, or None when the request is to run now, under this key.

        Raises Refused (409) while the first request of the key still runs.
        """
        with self._lock:
            entry = self._entries.get(key)
            if not self.enabled or entry is None or self._clock.now() - entry.at > REPLAY_S:
                self._entries[key] = _Entry(self._clock.now())
                return None
            if entry.reply is None:
                raise refusal(409, "IDEMPOTENCY_CONFLICT", "A request with this key is still running", retry_in_s=1)
            headers = {**entry.reply.headers, "Idempotency-Replayed": "true"}
            return Reply(entry.reply.status, entry.reply.body, headers)

    def keep(self, key: str, reply: Reply) -> None:
        """Let `reply` be the stored answer, whatever ran."""
        with self._lock:
            self._entries[key] = _Entry(self._clock.now(), Reply(reply.status, reply.body, dict(reply.headers)))

    def finish(self, key: str, reply: Reply | None, has_errors: bool) -> None:
        """Store the answer; None when nothing ran. Answers over 1 MB are not stored and run afresh next time."""
        with self._lock:
            storable = reply is not None and len(reply.body) <= STORED_AT_MOST
            if reply is None or not storable or (has_errors and not self.stores_errors):
                self._entries.pop(key, None)
            else:
                self._entries[key].reply = Reply(reply.status, reply.body, dict(reply.headers))
