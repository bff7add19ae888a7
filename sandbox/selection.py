"""What a request asks for, with variables put in: a small tree that no longer needs the GraphQL document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLUnionType,
    InlineFragmentNode,
    SelectionSetNode,
    get_directive_values,
    get_named_type,
)
from graphql.execution.values import VariableValues, get_argument_values

from sandbox.errors import Refused
from sandbox.schema import NEWEST, Document, schema


@dataclass(frozen=True, slots=True)
class Field:
    """One asked field: `key` is its alias or its name; `subs` is empty for a leaf."""

    key: str
    name: str
    args: dict[str, Any]
    subs: tuple[Selection, ...]


@dataclass(frozen=True, slots=True)
class On:
    """A fragment, inline or named: its fields count where the object is of that type."""

    type_name: str
    subs: tuple[Selection, ...]


Selection = Field | On


def resolve(document: Document, variables: VariableValues) -> tuple[Selection, ...]:
    """The operation's tree.

    Raises Refused when an argument's value does not fit its type, which only shows with the variables in.
    """
    root = document.schema.mutation_type if document.is_mutation else document.schema.query_type
    assert root is not None
    try:
        return _selections(document.operation.selection_set, root.name, document, variables)
    except GraphQLError as error:
        extensions = {"problems": [{"path": [], "explanation": error.message}]}
        raise Refused(200, {"errors": [{"message": error.message, "extensions": extensions}]}) from None


def signature(selections: tuple[Selection, ...]) -> str:
    """Equal for equal trees, whatever request they came in."""
    return json.dumps(_plain(selections), sort_keys=True, default=str)


def collect(selections: tuple[Selection, ...], type_name: str) -> list[Field]:
    """The fields that apply to an object of that type, in order, equal keys merged."""
    found: dict[str, Field] = {}
    _collect(selections, type_name, found)
    return list(found.values())


def flat(selections: tuple[Selection, ...]) -> list[Field]:
    """The fields of this level, fragments opened, whatever their type."""
    return [f for s in selections for f in (flat(s.subs) if isinstance(s, On) else [s])]


@cache
def field_of(against: GraphQLSchema, type_name: str, name: str) -> GraphQLField:
    owner = against.type_map[type_name]
    assert isinstance(owner, GraphQLObjectType | GraphQLInterfaceType)
    found: GraphQLField = owner.fields[name]
    return found


@cache
def applies(condition: str, type_name: str) -> bool:
    """Whether a fragment on `condition` counts for an object of `type_name`; versions do not differ in that."""
    if condition == type_name:
        return True
    newest = schema(NEWEST)
    abstract, concrete = newest.type_map[condition], newest.type_map[type_name]
    return (
        isinstance(abstract, GraphQLInterfaceType | GraphQLUnionType)
        and isinstance(concrete, GraphQLObjectType)
        and newest.is_sub_type(abstract, concrete)
    )


def _selections(
    node: SelectionSetNode, type_name: str, document: Document, variables: VariableValues
) -> tuple[Selection, ...]:
    found: list[Selection] = []
    for selection in node.selections:
        if not _included(selection, variables):
            continue
        if isinstance(selection, FieldNode):
            found.append(_field(selection, type_name, document, variables))
        elif isinstance(selection, FragmentSpreadNode):
            fragment = document.fragments[selection.name.value]
            condition = fragment.type_condition.name.value
            found.append(On(condition, _selections(fragment.selection_set, condition, document, variables)))
        elif isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition.name.value if selection.type_condition else type_name
            found.append(On(condition, _selections(selection.selection_set, condition, document, variables)))
    return tuple(found)


def _field(node: FieldNode, type_name: str, document: Document, variables: VariableValues) -> Field:
    name = node.name.value
    key = node.alias.value if node.alias else name
    if name == "__typename":
        return Field(key, name, {}, ())
    definition = field_of(document.schema, type_name, name)
    args = get_argument_values(definition, node, variables) if definition.args else {}
    if node.selection_set is None:
        return Field(key, name, args, ())
    inner = get_named_type(definition.type).name
    return Field(key, name, args, _selections(node.selection_set, inner, document, variables))


def _included(node: Any, variables: VariableValues) -> bool:
    if not node.directives:
        return True
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    return not (skip and skip["if"]) and not (include and not include["if"])


def _collect(selections: tuple[Selection, ...], type_name: str, found: dict[str, Field]) -> None:
    for selection in selections:
        if isinstance(selection, On):
            if applies(selection.type_name, type_name):
                _collect(selection.subs, type_name, found)
        elif (known := found.get(selection.key)) is None:
            found[selection.key] = selection
        elif selection.subs:
            found[selection.key] = Field(known.key, known.name, known.args, known.subs + selection.subs)


def _plain(selections: tuple[Selection, ...]) -> list[Any]:
    return [
        [sel.key, sel.name, sel.args, _plain(sel.subs)]
        if isinstance(sel, Field)
        else ["...", sel.type_name, _plain(sel.subs)]
        for sel in selections
    ]
