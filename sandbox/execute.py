"""Walks a resolved request over the world and writes the answer's bytes.

A field that fails is null with an entry in `errors`, or takes the nearest nullable field above with it, as GraphQL
wants. Items go through `render.ItemRenderer`; everything else is small and is written field by field.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from sandbox.errors import ApiError
from sandbox.jobs import Jobs
from sandbox.pages import Pager
from sandbox.render import ItemRenderer, dumps, encode
from sandbox.selection import Field, Selection, collect, field_of, signature
from sandbox.versions import Versions
from sandbox.world import Item, World

Path = tuple[str | int, ...]
Resolver = Callable[["Context", Any, dict[str, Any]], Any]


@dataclass(slots=True)
class Context:
    """One request on its way. `flags` are faults that bend the answer itself; `complexity` is what that field tells."""

    world: World
    pager: Pager
    jobs: Jobs
    renderers: Renderers
    complexity: dict[str, int]
    daily_limit: int
    schema: GraphQLSchema
    version: str
    versions: Versions
    base_url: str
    flags: frozenset[str] = frozenset()
    errors: list[dict[str, Any]] = field(default_factory=list)
    items: int = 0
    """Items answered so far, the measure of latency."""


_REPLICA_LAG_S = 3_600  # no replica is behind for longer


class Renderers:
    """Compiled item selections by signature; everything is forgotten when the boards' structure moves."""

    def __init__(self, world: World, capacity_bytes: int = 1 << 30) -> None:
        self._world = world
        self._capacity = capacity_bytes
        self._structure = -1
        self._kept: OrderedDict[str, ItemRenderer] = OrderedDict()

    def get(self, selections: tuple[Selection, ...], nested: Callable[[Field, str, Any], bytes]) -> ItemRenderer:
        full = sum(renderer.kept_bytes for renderer in self._kept.values()) > self._capacity
        if full or self._structure != self._world.structure or len(self._kept) > 64:
            self._kept.clear()
            self._structure = self._world.structure
        key = signature(selections)
        renderer = self._kept.get(key)
        if renderer is None:
            renderer = self._kept[key] = ItemRenderer(self._world, selections, nested)
        return renderer


def execute(
    context: Context, selections: tuple[Selection, ...], type_name: str, resolvers: dict[tuple[str, str], Resolver]
) -> bytes:
    """The `data` of the answer; errors are left in the context. Fields run one after the other."""
    try:
        return _Run(context, resolvers).object(selections, type_name, None, ())
    except ApiError as error:
        context.errors.append(error.entry())
        return b"null"


class _Run:
    """One execution: the context and the table of resolvers that every step needs."""

    def __init__(self, context: Context, resolvers: dict[tuple[str, str], Resolver]) -> None:
        self._context = context
        self._resolvers = resolvers

    def object(self, selections: tuple[Selection, ...], type_name: str, value: Any, path: Path) -> bytes:
        parts = [
            f'"{asked.key}":'.encode() + self._field(asked, type_name, value, path)
            for asked in collect(selections, type_name)
        ]
        return b"{" + b",".join(parts) + b"}"

    def _field(self, asked: Field, type_name: str, owner: Any, path: Path) -> bytes:
        if asked.name == "__typename":
            return f'"{type_name}"'.encode()
        gql_type = field_of(self._context.schema, type_name, asked.name).type
        path = (*path, asked.key)
        try:
            resolver = self._resolvers.get((type_name, asked.name))
            value = resolver(self._context, owner, asked.args) if resolver else _plain(owner, asked.name)
            return self._complete(gql_type, value, asked, path)
        except ApiError as error:
            return self._nulled(error, gql_type, path)

    def _nulled(self, error: ApiError, gql_type: GraphQLOutputType, path: Path) -> bytes:
        if error.path is None:
            error.path = path
        if isinstance(gql_type, GraphQLNonNull):
            raise error
        self._context.errors.append(error.entry())
        return b"null"

    def _complete(self, gql_type: GraphQLOutputType, value: Any, asked: Field, path: Path) -> bytes:
        if isinstance(gql_type, GraphQLNonNull):
            return self._complete(gql_type.of_type, value, asked, path)
        if value is None:
            return b"null"
        if isinstance(gql_type, GraphQLList):
            return self._list(gql_type.of_type, value, asked, path)
        named = get_named_type(gql_type)
        if is_leaf_type(named):
            return encode(dumps(str(value) if named.name == "ID" else value))
        if named.name == "Item":
            return self._items(asked, [value])[0]
        type_name = value["__typename"] if isinstance(named, GraphQLUnionType) else named.name
        return self.object(asked.subs, type_name, value, path)

    def _list(self, inner: GraphQLOutputType, values: list[Any], asked: Field, path: Path) -> bytes:
        if get_named_type(inner).name == "Item":
            return b"[" + b",".join(self._items(asked, values)) + b"]"
        parts = []
        for position, value in enumerate(values):
            try:
                parts.append(self._complete(inner, value, asked, (*path, position)))
            except ApiError as error:
                parts.append(self._nulled(error, inner, (*path, position)))
        return b"[" + b",".join(parts) + b"]"

    def _items(self, asked: Field, items: list[Item]) -> list[bytes]:
        context = self._context
        context.items += len(items)
        renderer = context.renderers.get(asked.subs, self._nested)
        if "stale_read" in context.flags:
            now = context.world.clock.now()
            items = [(item.previous if now - item.updated_at < _REPLICA_LAG_S else None) or item for item in items]
        return renderer.many(items)

    def _nested(self, asked: Field, type_name: str, value: Any) -> bytes:
        """An object that an item only points at: by itself, or by the key the renderer keeps it under."""
        world = self._context.world
        if type_name == "Group":
            board_id, group_id = value
            value = (world.boards[board_id], next(g for g in world.boards[board_id].groups if g.id == group_id))
        elif type_name == "Column":
            value = (None, value)
        elif type_name == "Item":
            return self._items(asked, [world.items[value]])[0]
        elif type_name == "User":
            value = self._resolvers[("Item", "creator")](self._context, value, {})
        return self.object(asked.subs, type_name, value, (asked.key,))


def _plain(owner: Any, name: str) -> Any:
    return owner.get(name) if isinstance(owner, dict) else getattr(owner, name)
