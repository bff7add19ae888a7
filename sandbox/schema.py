"""Every request is parsed and validated against the schema file, once per distinct text."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from sandbox.errors import Refused

SCHEMA_FILE = Path(__file__).with_name("schema.graphql")
_DOCUMENTS_KEPT = 500


@dataclass(frozen=True, slots=True)
class Document:
    """A validated request: one operation and its fragments."""

    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDefinitionNode]

    @property
    def is_mutation(self) -> bool:
        return self.operation.operation is OperationType.MUTATION

    @property
    def name(self) -> str:
        return self.operation.name.value if self.operation.name else ""


@cache
def schema() -> GraphQLSchema:
    built = build_schema(SCHEMA_FILE.read_text(encoding="utf-8"))
    scalar = built.type_map["JSON"]
    assert isinstance(scalar, GraphQLScalarType)
    scalar.coerce_input_value = _json_input
    return built


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
        self._kept: OrderedDict[tuple[str, str | None], Document] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str, operation_name: str | None) -> Document:
        """Raises Refused as monday answers a request that does not parse or does not fit the schema."""
        key = (text, operation_name)
        with self._lock:
            document = self._kept.get(key)
            if document is None:
                document = self._kept[key] = _document(text, operation_name)
                if len(self._kept) > _DOCUMENTS_KEPT:
                    self._kept.popitem(last=False)
            return document


def variables_of(document: Document, given: dict[str, Any]) -> VariableValues:
    """Coerced variables.

    Raises Refused with status 200 and an error without a code: that is how monday speaks of a bad variable.
    """
    values = get_variable_values(schema(), document.operation.variable_definitions or (), given, hide_suggestions=True)
    if isinstance(values, list):
        raise Refused(200, {"errors": [_variable_error(error) for error in values]})
    return values


def _document(text: str, operation_name: str | None) -> Document:
    try:
        parsed = parse(text)
    except GraphQLSyntaxError as error:
        raise Refused(200, {"errors": [_graphql_error(error, f"Parse error on {error.message}", None)]}) from None
    problems = validate(schema(), parsed)
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
    return Document(operations[0], fragments)


def _graphql_error(error: GraphQLError, message: str, code: str | None) -> dict[str, Any]:
    locations = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    return {"message": message, "locations": locations, "extensions": {"code": code} if code else {}}


def _variable_error(error: GraphQLError) -> dict[str, Any]:
    entry = _graphql_error(error, error.message, None)
    entry["extensions"] = {"problems": [{"path": [], "explanation": error.message}]}
    return entry
