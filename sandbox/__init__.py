"""A local server that speaks monday.com's GraphQL: for `--demo`, for tests and for benchmarks.

`with Sandbox(seed_world(items=2000)) as sandbox:` answers at `sandbox.api_url`; `python -m sandbox` does the same in
a process of its own. See `control.py` for what can be done to its boards, `faults.py` for what can go wrong.
"""

from sandbox.boards import MASTER_BOARD_ID, STAFF_BOARD_ID
from sandbox.clock import Clock
from sandbox.control import COMMANDS, Control, Remote
from sandbox.errors import ApiError
from sandbox.faults import FAULTS, FaultRule
from sandbox.limits import Limits
from sandbox.local import Sandbox
from sandbox.seed import seed_world
from sandbox.world import World

__all__ = [
    "COMMANDS",
    "FAULTS",
    "MASTER_BOARD_ID",
    "STAFF_BOARD_ID",
    "ApiError",
    "Clock",
    "Control",
    "FaultRule",
    "Limits",
    "Remote",
    "Sandbox",
    "World",
    "seed_world",
]
