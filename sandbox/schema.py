"""Every request is parsed and validated against the schema of the version that answers, once per distinct text."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FieldDefinitionNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLSyntaxError,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    OperationDefinitionNode,
    OperationType,
    build_ast_schema,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from sandbox.errors import Refused

SCHEMA_FILE = Path(__file__).with_name("schema.graphql")
CHANGES = {"2027-01": Path(__file__).with_name("schema_2027_01.graphql")}
"""Version → what it changes in the schema before it."""
NEWEST = max(CHANGES)
_DOCUMENTS_KEPT = 500


@dataclass(frozen=True, slots=True)
class Document:
    """A validated request: one operation and its fragments, and what they were validated against."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]

    @property
    def is_mutation(self) -> bool:
        return self.operation.operation is OperationType.MUTATION

    @property
    def name(self) -> str:
        return self.operation.name.value if self.operation.name else ""


def edition(version: str) -> str:
    """The newest version up to this one of which there are changes; the empty text for the schema as it was before."""
    return max((changed for changed in CHANGES if changed <= version), default="")


def schema(version: str) -> GraphQLSchema:
    """What a version understands."""
    return _schema(edition(version))


@cache
def _schema(version: str) -> GraphQLSchema:
    document = parse(SCHEMA_FILE.read_text(encoding="utf-8"))
    for changed in sorted(changed for changed in CHANGES if changed <= version):
        document = _changed(document, parse(CHANGES[changed].read_text(encoding="utf-8")))
    built = build_ast_schema(document)
    scalar = built.type_map["JSON"]
    assert isinstance(scalar, GraphQLScalarType)
    scalar.coerce_input_value = _json_input
    return built


def _changed(document: DocumentNode, changes: DocumentNode) -> DocumentNode:
    """The document with other fields in its types, where `extend type` names them, and with new types."""
    fields: dict[str, tuple[FieldDefinitionNode, ...]] = {
        node.name.value: tuple(node.fields or ())
        for node in changes.definitions
        if isinstance(node, ObjectTypeExtensionNode)
    }
    old = [
        _with_fields(node, fields[node.name.value])
        if isinstance(node, ObjectTypeDefinitionNode) and node.name.value in fields
        else node
        for node in document.definitions
    ]
    new = [node for node in changes.definitions if not isinstance(node, ObjectTypeExtensionNode)]
    return DocumentNode(definitions=(*old, *new))


def _with_fields(node: ObjectTypeDefinitionNode, fields: tuple[FieldDefinitionNode, ...]) -> ObjectTypeDefinitionNode:
    by_name = {field.name.value: field for field in (*(node.fields or ()), *fields)}
    return ObjectTypeDefinitionNode(name=node.name, interfaces=node.interfaces, fields=tuple(by_name.values()))


def _json_input(value: Any) -> Any:
    """A JSON argument is JSON text, not an object.

    Raises GraphQLError for anything else, before any field runs.
    """
    if not isinstance(value, str):
        raise GraphQLError("JSON argument must be a JSON-encoded string")
    try:
        return json.loads(value)
    except ValueError:
        raise GraphQLError("invalid JSON text") from None


class Documents:
    """Parsed and validated requests by text, the oldest dropped first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str | None, str], Document] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str, operation_name: str | None, version: str) -> Document:
        """Raises Refused as monday answers a request that does not parse or does not fit the version's schema."""
        key = (text, operation_name, edition(version))
        with self._lock:
            document = self._kept.get(key)
            if document is None:
                document = self._kept[key] = _document(text, operation_name, schema(version))
                if len(self._kept) > _DOCUMENTS_KEPT:
                    self._kept.popitem(last=False)
            return document


def variables_of(document: Document, given: dict[str, Any]) -> VariableValues:
    """Coerced variables.

    Raises Refused with status 200 and an error without a code: that is how monday speaks of a bad variable.
    """
    declared = document.operation.variable_definitions or ()
    values = get_variable_values(document.schema, declared, given, hide_suggestions=True)
    if isinstance(values, list):
        raise Refused(200, {"errors": [_variable_error(error) for error in values]})
    return values


def _document(text: str, operation_name: str | None, against: GraphQLSchema) -> Document:
    try:
        parsed = parse(text)
    except GraphQLSyntaxError as error:
        raise Refused(200, {"errors": [_graphql_error(error, f"Parse error on {error.message}", None)]}) from None
    problems = validate(against, parsed)
    if problems:
        errors = [_graphql_error(problem, problem.message, "GRAPHQL_VALIDATION_FAILED") for problem in problems]
        raise Refused(400, {"errors": errors})
    operations = [node for node in parsed.definitions if isinstance(node, OperationDefinitionNode)]
    if operation_name is not None:
        operations = [node for node in operations if node.name and node.name.value == operation_name]
    if len(operations) != 1:
        message = "Must provide the name of one operation of the request"
        raise Refused(400, {"errors": [{"message": message, "extensions": {"code": "OPERATION_RESOLUTION_FAILURE"}}]})
    fragments = {node.name.value: node for node in parsed.definitions if isinstance(node, FragmentDefinitionNode)}
    return Document(against, operations[0], fragments)


def _graphql_error(error: GraphQLError, message: str, code: str | None) -> dict[str, Any]:
    locations = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return {"message": message, "locations": locations, "extensions": {"code": code} if code else {}}


def _variable_error(error: GraphQLError) -> dict[str, Any]:
    entry = _graphql_error(error, error.message, None)
    entry["extensions"] = {"problems": [{"path": [], "explanation": error.message}]}
    return entry
