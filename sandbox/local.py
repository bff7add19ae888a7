"""A sandbox that runs: a world, the service over it and a server on a free port of this machine."""

from __future__ import annotations

import logging
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.boards import MASTER_BOARD_ID, STAFF_BOARD_ID
from sandbox.control import Control
from sandbox.limits import Limits
from sandbox.seed import seed_world
from sandbox.server import Server
from sandbox.service import Service
from sandbox.state import load, save
from sandbox.world import World

logger = logging.getLogger(__name__)


class Sandbox(Control):
    """monday.com on loopback, with every command of `Control`.

    >>> with Sandbox(seed_world(items=20, staff=5)) as sandbox:
    ...     sandbox.url.startswith("http://127.0.0.1:"), len(sandbox.item_ids())
    (True, 20)

    `state_file`: where the world is read from if the file exists, and written to at the end.
    """

    master_board_id = MASTER_BOARD_ID
    staff_board_id = STAFF_BOARD_ID

    def __init__(
        self,
        world: World | None = None,
        *,
        token: str | None = None,
        limits: Limits | None = None,
        port: int = 0,
        gzip: bool = False,
        state_file: Path | None = None,
    ) -> None:
        if state_file is not None and state_file.exists():
            world = load(state_file)
        world = world or seed_world()
        super().__init__(world, Service(world, world.clock, limits, token), state_file)
        self._port = port
        self._gzip = gzip
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a path: the API answers at `/v2` and at `/`.

        Raises RuntimeError when it is not started.
        """
        if self._server is None:
            raise RuntimeError("the sandbox is not started")
        return self._server.url

    @property
    def api_url(self) -> str:
        return f"{self.url}/v2"

    def start(self) -> Self:
        self._server = Server(self.service, self.command, self._port, self._gzip)
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop answering; keep the world in the state file if there is one."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self.state_file is not None:
            save(self.world, self.state_file)
            logger.info("sandbox saved file=%s items=%d", self.state_file.name, len(self.world.items))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
