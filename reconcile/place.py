"""Which database a board belongs to: where a database is, whether that is where it was, and how it is named."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Where a database is. A template copy and a restored dump have another `oid`, another server another `system`
    (None where it is not told), a branch of a managed server another `host`: see `postgres.url.host_of`."""

    host: str
    port: str
    database: str
    oid: int
    system: str | None = None

    @property
    def claim(self) -> str:
        """Twelve digits that name it, and tell nobody where it is."""
        known = (self.host, self.port if self.system is None else "", self.database, str(self.oid), self.system or "")
        return sha256("\n".join(known).encode()).hexdigest()[:12]

    @property
    def shown(self) -> str:
        return shown(self.database, self.host, self.claim)

    def same_database(self, other: Place | Bound) -> bool:
        """Whether everything but the address agrees. Then the two are one database under two addresses, or one is a
        copy of the other's whole server."""
        systems = {self.system, other.system} - {None}
        return (self.database, self.oid) == (other.database, other.oid) and len(systems) < 2


class Bound(msgspec.Struct, frozen=True):
    """Where a database was when it took a board, as it remembers it. `hosts` are the addresses that were accepted."""

    claim: str
    hosts: Sequence[str]
    port: str
    database: str
    oid: int
    system: str | None = None
    replaced: Sequence[str] = ()

    @property
    def shown(self) -> str:
        return shown(self.database, self.hosts[-1], self.claim)

    def is_at(self, place: Place) -> bool:
        """Whether the database is still there. The port counts only where nothing else tells two servers of one
        machine: a pooler has another one, an embedded server a new one at each start."""
        told = self.system is not None and place.system is not None
        return place.same_database(self) and place.host in self.hosts and (told or self.port == place.port)

    def moved_to(self, place: Place, more: Sequence[str] = ()) -> Bound:
        """The board taken over, by a copy or at another address; `more` are claims that it is taken over from too."""
        kept = [host for host in self.hosts if host != place.host] if place.same_database(self) else []
        return bind(place, [self.claim, *self.replaced, *more], [host for host in kept if not is_endpoint(host)])


def bind(place: Place, replaced: Sequence[str] = (), hosts: Sequence[str] = ()) -> Bound:
    """A board given to the database of this place, taken from those with the claims `replaced`."""
    others = sorted({claim for claim in replaced if claim != place.claim})
    return Bound(place.claim, [*hosts, place.host], place.port, place.database, place.oid, place.system, others)


def is_endpoint(host: str) -> bool:
    """Whether the address names a branch, and never a second way to the same database."""
    return host.startswith("ep-")


def shown(database: str, host: str, claim: str) -> str:
    """As `wra at db.example.com (3f2a9c1b7d10)`, for people."""
    return f"{database} at {host} ({claim})"


class Local(msgspec.Struct, frozen=True):
    """What the program's own folder remembers of a board: the claim and name of the database it was synced with, and
    the last run from here that this one put on record."""

    claim: str
    database: str
    run: str = ""


class Rival(NamedTuple):
    """A database that a board belongs to as far as somebody knows; `says` is who."""

    shown: str
    claim: str
    says: str


ITSELF: Final = "which this one was when it took the board (it is a copy of it, or has moved)"
FOLDER: Final = "which the last runs from this folder worked with"
BOARD: Final = "which the board itself names"


class PlaceVerdict(NamedTuple):
    """Whether a board is this database's. `bound` is what it remembers once the board is its own."""

    bound: Bound
    rivals: tuple[Rival, ...] = ()


def judge(place: Place, remembered: Bound | None, local: Local | None) -> PlaceVerdict:
    """Decide whose a board is. `remembered` is what the database says, wherever it is by now, `local` what the folder
    says that the program runs in; who says nothing does not object."""
    rivals: dict[str, Rival] = {}
    bound = remembered
    if remembered is not None and not remembered.is_at(place):
        rivals[remembered.claim] = Rival(remembered.shown, remembered.claim, ITSELF)
        bound = None
    if local is not None and local.claim != (bound.claim if bound else place.claim):
        rivals.setdefault(local.claim, Rival(local.database, local.claim, FOLDER))
    others = sorted(filter(None, rivals))
    if bound is not None:
        bound = msgspec.structs.replace(bound, replaced=sorted({*bound.replaced, *others}))
    elif remembered is not None:
        bound = remembered.moved_to(place, others)
    else:
        bound = bind(place, others)
    return PlaceVerdict(bound, tuple(rivals.values()))
