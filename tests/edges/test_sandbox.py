"""The sandbox against what monday's documentation says of the real API, over HTTP."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    print_ast,
)

import monday_api
from sandbox import FAULTS, Limits, Remote, Sandbox, seed_world
from sandbox.schema import SCHEMA_FILE

PROJECT = Path(__file__).parents[2]
OFFICIAL_SCHEMA = PROJECT.parent / "shared" / "monday" / "schema.graphql"

MASTER, STAFF = Sandbox.master_board_id, Sandbox.staff_board_id

CELLS = """
  id type text value
  ... on EmailValue { email label updated_at }
  ... on PhoneValue { phone country_short_name }
  ... on LinkValue { url url_text }
  ... on StatusValue { index label is_done }
  ... on DateValue { date time }
  ... on NumbersValue { number }
  ... on DropdownValue { values { id label } }
  ... on PeopleValue { persons_and_teams { id kind } }
  ... on CheckboxValue { checked }
  ... on FileValue { files {
    __typename
    ... on FileAssetValue { asset_id name asset { id url } }
    ... on FileLinkValue { file_id name url }
    ... on FileDocValue { file_id url }
    ... on FileAssetInvalidValue { asset_id invalid_name: name error }
  } }
  ... on BoardRelationValue { display_value linked_item_ids }
  ... on MirrorValue { display_value }
  ... on FormulaValue { display_value }
"""
ROW = f"fragment Row on Item {{ id name state updated_at group {{ id }} column_values(ids: $cols) {{ {CELLS} }} }}"
BY_ID = "query ById($ids: [ID!]!, $cols: [String!]) { items(ids: $ids, limit: 100) { ...Row } } " + ROW
PAGE = (
    "query Page($board: [ID!]!, $limit: Int!, $params: ItemsQuery) "
    "{ boards(ids: $board) { items_page(limit: $limit, query_params: $params) { cursor items { id name } } } }"
)
NEXT = (
    "query Next($cursor: String!, $limit: Int!) "
    "{ next_items_page(cursor: $cursor, limit: $limit) { cursor items { id } } }"
)
CHANGE = (
    "mutation Change($board: ID!, $item: ID!, $values: JSON!) "
    "{ change_multiple_column_values(board_id: $board, item_id: $item, column_values: $values) { id updated_at } }"
)
CREATE = (
    "mutation Create($board: ID!, $group: String, $name: String!, $values: JSON) "
    "{ create_item(board_id: $board, group_id: $group, item_name: $name, column_values: $values) { id group { id } } }"
)


@dataclass
class Api:
    """A client as plain as can be."""

    sandbox: Sandbox
    session: requests.Session

    def post(self, query: str, headers: dict[str, str] | None = None, **variables: Any) -> requests.Response:
        body = {"query": query, "variables": variables}
        return self.session.post(self.sandbox.api_url, json=body, headers=headers or {}, timeout=10)

    def ask(self, query: str, **variables: Any) -> Any:
        answer = self.post(query, **variables).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def code(self, query: str, **variables: Any) -> str:
        """The code of the only error."""
        (error,) = self.post(query, **variables).json()["errors"]
        return str(error["extensions"].get("code"))

    def item(self, item_id: int, *columns: str) -> dict[str, Any]:
        (item,) = self.ask(BY_ID, ids=[item_id], cols=list(columns))["items"]
        return dict(item)

    def cell(self, item_id: int, column: str) -> dict[str, Any]:
        return dict(self.item(item_id, column)["column_values"][0])

    def change(self, item_id: int, **values: Any) -> requests.Response:
        return self.post(CHANGE, board=MASTER, item=item_id, values=json.dumps(values))

    def page(self, limit: int = 500, board: int = MASTER, **params: Any) -> dict[str, Any]:
        return dict(self.ask(PAGE, board=[board], limit=limit, params=params or None)["boards"][0]["items_page"])

    def ids(self, **params: Any) -> list[int]:
        return [int(item["id"]) for item in self.page(**params)["items"]]


@pytest.fixture
def api() -> Iterator[Api]:
    with (
        Sandbox(seed_world(items=60, staff=6, groups=3), limits=Limits()) as sandbox,
        requests.Session() as session,
    ):
        session.headers.update({"Authorization": "token", "API-Version": "2026-10"})
        sandbox.freeze("2026-11-23T15:00:00Z")
        yield Api(sandbox, session)


@pytest.fixture
def item(api: Api) -> int:
    """An item of the master board with nothing but a name."""
    return api.sandbox.create(MASTER, "Blank")


# The schema and the boards


@pytest.mark.skipif(not OFFICIAL_SCHEMA.exists(), reason="monday's own schema file is not on this machine")
def test_the_schema_is_part_of_mondays() -> None:
    ours, theirs = build_schema(SCHEMA_FILE.read_text("utf-8")), build_schema(OFFICIAL_SCHEMA.read_text("utf-8"))
    for name, kind in ours.type_map.items():
        assert type(kind) is type(theirs.type_map[name]), name
        if isinstance(kind, GraphQLEnumType):
            official = theirs.type_map[name]
            assert isinstance(official, GraphQLEnumType)
            assert set(kind.values) <= set(official.values), name
        elif isinstance(kind, GraphQLUnionType):
            official = theirs.type_map[name]
            assert isinstance(official, GraphQLUnionType)
            assert {t.name for t in kind.types} <= {t.name for t in official.types}, name
        else:
            assert _fields(ours, name).items() <= _fields(theirs, name).items(), name


def _fields(schema: GraphQLSchema, type_name: str) -> dict[str, str]:
    """Field or `field.argument` → its type with its default, and the interfaces."""
    kind = schema.type_map[type_name]
    found = {}
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        found["implements"] = " ".join(interface.name for interface in kind.interfaces)
        for name, field in kind.fields.items():
            found[name] = str(field.type)
            for argument, definition in field.args.items():
                found[f"{name}.{argument}"] = str(definition.type) + _default(definition)
    elif isinstance(kind, GraphQLInputObjectType):
        for name, entry in kind.fields.items():
            found[name] = str(entry.type) + _default(entry)
    return found


def _default(definition: Any) -> str:
    node = definition.ast_node.default_value if definition.ast_node else None
    return f" = {print_ast(node)}" if node else ""


def test_every_mapped_column_is_on_its_board(api: Api) -> None:
    asked = (
        "query Q($ids: [ID!]) { boards(ids: $ids) { id name columns { id title type archived settings revision } } }"
    )
    master, staff = api.ask(asked, ids=[MASTER, STAFF])["boards"]
    for board, mapped in ((master, monday_api.BOARDS["master"]), (staff, monday_api.BOARDS["staff"])):
        columns = {column["id"]: (column["title"], column["type"]) for column in board["columns"]}
        wanted = {i: (c.title, c.codec.monday_type) for i, c in mapped.items() if c.codec.monday_type != "name"}
        assert wanted.items() <= columns.items()
        assert len(columns) > len(wanted), "some columns are there to be left alone"
    team = next(column for column in master["columns"] if column["id"] == "job_division___1__1")
    assert team["settings"]["labels"][4] == {
        "id": 6, "label": "North Metro", "color": "#784bd1", "is_done": False, "is_deactivated": False, "index": 4,
    }  # fmt: skip


# Preflight, requests that do not fit


def test_preflight(api: Api) -> None:
    answer = api.ask(
        """{ version { value kind } versions { value } account { id name slug tier plan { tier max_users } }
        me { id name kind status time_zone_identifier utc_hours_diff account { id } }
        platform_api { daily_limit { base total } } complexity { before after query reset_in_x_seconds } }"""
    )
    assert answer["version"] == {"value": "2026-10", "kind": "current"}
    assert answer["me"]["time_zone_identifier"] == "America/Denver"
    assert answer["me"]["utc_hours_diff"] == -7.0
    assert answer["platform_api"]["daily_limit"]["total"] == 1_000_000
    assert answer["complexity"]["before"] - answer["complexity"]["query"] == answer["complexity"]["after"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (None, "2026-10"),
        ("2026-10", "2026-10"),
        ("2026-07", "2026-07"),
        ("2024-10", "2026-07"),
        ("2026-11", "2026-10"),
    ],
)
def test_the_version_is_replaced_silently(api: Api, asked: str | None, answered: str) -> None:
    del api.session.headers["API-Version"]
    reply = api.post("{ version { value } }", {"API-Version": asked} if asked else {})
    assert reply.headers["api-version"] == reply.json()["data"]["version"]["value"] == answered


def test_a_malformed_version_is_refused(api: Api) -> None:
    reply = api.post("{ version { value } }", {"API-Version": "2026"})
    assert reply.json()["errors"][0]["extensions"]["code"] == "InvalidVersionException"


@pytest.mark.parametrize("header", [{"Authorization": ""}, {"Authorization": "other"}])
def test_only_the_configured_token_is_taken(api: Api, header: dict[str, str]) -> None:
    api.sandbox.set_token("token")
    reply = api.post("{ me { id } }", header)
    assert (reply.status_code, reply.json()) == (401, {"errors": ["Not Authenticated"]})
    assert api.ask("{ me { id } }")["me"]["id"]


@pytest.mark.parametrize(
    ("query", "variables", "status", "code"),
    [
        ("{ boards { nope } }", {}, 400, "GRAPHQL_VALIDATION_FAILED"),
        ("{ boards(size: 3) { id } }", {}, 400, "GRAPHQL_VALIDATION_FAILED"),
        ("{ boards { id ", {}, 200, None),
        (CHANGE, {"board": 1, "item": 2, "values": "{not json"}, 200, None),
        (CHANGE, {"board": 1, "item": 2, "values": {"an": "object"}}, 200, None),
        (CHANGE, {"board": 1, "item": 2}, 200, None),
        # a name that is String! on one member of the union and String on another needs an alias
        (
            """{ items(ids: [1]) { column_values { ... on FileValue { files
            { ... on FileAssetValue { name } ... on FileAssetInvalidValue { name } } } } } }""",
            {},
            400,
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ],
)
def test_a_request_that_does_not_fit_is_refused_whole(
    api: Api, query: str, variables: dict[str, Any], status: int, code: str | None
) -> None:
    reply = api.post(query, **variables)
    assert reply.status_code == status
    assert "data" not in reply.json()
    assert reply.json()["errors"][0]["extensions"].get("code") == code
    assert api.sandbox.counters()["mutations"] == 0


def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    reply = api.session.post(api.sandbox.api_url, data=b"{oops", timeout=10)
    assert (reply.status_code, reply.json()["errors"][0]["extensions"]["code"]) == (400, "JsonParseException")


# Boards and items


def test_a_board_out_of_sight_is_absent_without_an_error(api: Api) -> None:
    asked = "query Q($ids: [ID!], $state: State) { boards(ids: $ids, state: $state) { id state } }"
    item = api.sandbox.item_ids()[0]
    api.sandbox.set_board(MASTER, visible=False)
    assert api.ask(asked, ids=[MASTER, STAFF], state="all")["boards"] == [{"id": str(STAFF), "state": "active"}]
    assert api.ask(BY_ID, ids=[item], cols=[])["items"] == []
    assert api.code(CHANGE, board=MASTER, item=item, values="{}") == "UserUnauthorizedException"
    api.sandbox.set_board(MASTER, visible=True, state="archived")
    assert len(api.ask(asked, ids=[MASTER, STAFF], state="active")["boards"]) == 1
    assert len(api.ask(asked, ids=[MASTER, STAFF], state="all")["boards"]) == 2


def test_pages_walk_through_every_item_once(api: Api) -> None:
    page = api.page(limit=7)
    seen, sizes = page["items"], [7]
    while page["cursor"]:
        page = api.ask(NEXT, cursor=page["cursor"], limit=25)["next_items_page"]
        seen += page["items"]
        sizes.append(len(page["items"]))
    assert [int(item["id"]) for item in seen] == api.sandbox.item_ids()
    assert sizes == [7, 25, 25, 3]


def test_the_default_page_has_25_items_and_500_are_the_most(api: Api) -> None:
    (board,) = api.ask("query Q($b: [ID!]) { boards(ids: $b) { items_page { items { id } } } }", b=[MASTER])["boards"]
    assert len(board["items_page"]["items"]) == 25
    for limit in (0, 501):
        assert api.code(PAGE, board=[MASTER], limit=limit) == "InvalidArgumentException"


def test_items_by_id_come_25_at_a_time_unless_asked(api: Api) -> None:
    ids = api.sandbox.item_ids()
    assert len(api.ask("query Q($ids: [ID!]) { items(ids: $ids) { id } }", ids=ids)["items"]) == 25
    assert len(api.ask(BY_ID, ids=ids, cols=[])["items"]) == 60
    assert api.code(BY_ID, ids=[*range(101)], cols=[]) == "InvalidArgumentException"


def test_states_show_by_id_only(api: Api) -> None:
    archived, deleted, purged, moved = api.sandbox.item_ids()[:4]
    api.sandbox.archive(archived)
    api.sandbox.delete(deleted)
    api.sandbox.purge(purged)
    api.sandbox.move_to_board(moved, STAFF)
    assert not {archived, deleted, purged, moved} & set(api.ids())
    asked = (
        "query Q($ids: [ID!], $only: Boolean) { items(ids: $ids, exclude_nonactive: $only) { id state board { id } } }"
    )
    ids = [archived, deleted, purged, moved]
    found = {int(i["id"]): (i["state"], int(i["board"]["id"])) for i in api.ask(asked, ids=ids)["items"]}
    assert found == {archived: ("archived", MASTER), deleted: ("deleted", MASTER), moved: ("active", STAFF)}
    assert [int(i["id"]) for i in api.ask(asked, ids=ids, only=True)["items"]] == [moved]
    api.sandbox.restore(deleted)
    assert deleted in api.ids()


def test_aliases_at_the_root_and_inside_boards(api: Api) -> None:
    answer = api.ask(
        """query Q($b: [ID!], $g: ItemsQuery) {
        m: boards(ids: $b) { n: items_count a: items_page(limit: 3) { items { id } }
            b: items_page(limit: 500, query_params: $g) { items { ...R } }
            groups { id items_page(limit: 2) { items { id } } } }
        again: boards(ids: $b) { __typename ... on Board { id } } }
        fragment R on Item { i: id __typename group { id title } creator { id name } board { id items_count } }""",
        b=[MASTER],
        g={"rules": [{"column_id": "group", "compare_value": ["claim_filed"]}]},
    )
    (board,) = answer["m"]
    assert board["n"] == 60
    assert len(board["a"]["items"]) == 3
    assert len(board["b"]["items"]) == 20
    assert board["b"]["items"][0]["board"] == {"id": str(MASTER), "items_count": 60}
    assert {item["group"]["title"] for item in board["b"]["items"]} == {"Claim Filed"}
    assert [len(group["items_page"]["items"]) for group in board["groups"]] == [2, 2, 2]
    assert answer["again"] == [{"__typename": "Board", "id": str(MASTER)}]
    api.sandbox.archive(int(board["b"]["items"][0]["i"]))
    later = api.ask(
        "query Q($i: [ID!]) { items(ids: $i) { board { id items_count } } }", i=[board["b"]["items"][1]["i"]]
    )
    assert later["items"][0]["board"]["items_count"] == 59


def test_skip_and_include(api: Api) -> None:
    asked = "query Q($yes: Boolean!) { me { id @skip(if: $yes) name @include(if: $yes) } }"
    assert set(api.ask(asked, yes=True)["me"]) == {"name"}
    assert set(api.ask(asked, yes=False)["me"]) == {"id"}


def test_a_cursor_dies_60_minutes_after_the_first_page(api: Api) -> None:
    cursor = api.page(limit=10)["cursor"]
    api.sandbox.advance(59 * 60)
    second = api.ask(NEXT, cursor=cursor, limit=10)["next_items_page"]["cursor"]
    api.sandbox.advance(2 * 60)
    assert api.code(NEXT, cursor=second, limit=10) == "CursorException"
    assert api.code(NEXT, cursor="made up", limit=10) == "CursorException"


def test_a_cursor_carries_filter_and_order(api: Api) -> None:
    order = [{"column_id": "__creation_log__", "direction": "desc"}]
    whole = api.ids(order_by=order)
    page = api.page(limit=40, order_by=order)
    rest = api.ask(NEXT, cursor=page["cursor"], limit=40)["next_items_page"]["items"]
    assert [int(item["id"]) for item in page["items"] + rest] == whole
    asked = """query Q($b: [ID!], $c: String) { boards(ids: $b) {
        items_page(cursor: $c, query_params: {ids: [1]}) { cursor } } }"""
    assert api.code(asked, b=[MASTER], c=page["cursor"]) == "InvalidArgumentException"


def test_items_shift_between_pages_when_the_board_changes(api: Api) -> None:
    page = api.page(limit=30)
    api.sandbox.archive(int(page["items"][0]["id"]))
    rest = api.ask(NEXT, cursor=page["cursor"], limit=30)["next_items_page"]["items"]
    assert len(rest) == 29, "the item that moved into the first page is not met"


def _rule(column: str, value: Any, operator: str = "any_of") -> dict[str, Any]:
    return {"column_id": column, "compare_value": value, "operator": operator}


def test_filters(api: Api, item: int) -> None:
    sandbox = api.sandbox
    sandbox.freeze("2026-12-02T18:00:00Z")
    cells = {
        "text95__1": "Appraisal",
        "numbers0": "250",
        "date_19__1": {"date": "2026-12-01"},
        "job_division___1__1": {"index": 2},
        "email4__1": {"email": "a@b.co", "text": "Ann"},
    }
    sandbox.edit(item, cells)
    found = {
        "name": _rule("name", ["Blank"]),
        "text": _rule("text95__1", ["Appraisal"]),
        "contains": _rule("text95__1", ["PRAIS"], "contains_text"),
        "e-mail by its display text": _rule("email4__1", ["Ann - a@b.co"]),
        "updated that day": _rule("__last_updated__", ["EXACT", "2026-12-02"], "greater_than_or_equals"),
        "time of day does not count": _rule(
            "__last_updated__", ["EXACT", "2026-12-02T23:59:00Z"], "greater_than_or_equals"
        ),
        "updated today": _rule("__last_updated__", ["TODAY"]),
    }
    for what, rule in found.items():
        assert api.ids(rules=[rule]) == [item], what
    missed = {
        "another day": _rule("__last_updated__", ["EXACT", "2026-12-03"], "greater_than_or_equals"),
        "the text of a label": _rule("job_division___1__1", ["Front Range"]),
        "e-mail by its address": _rule("email4__1", ["a@b.co"]),
    }
    for what, rule in missed.items():
        assert item not in api.ids(rules=[rule]), what
    both = [
        _rule("job_division___1__1", [2]),
        _rule("numbers0", 250, "lower_than_or_equal"),
        _rule("date_19__1", ["EXACT", "2026-12-01"], "greater_than_or_equals"),
    ]
    assert api.ids(rules=both) == [item]
    assert item in api.ids(rules=[_rule("name", ["x"]), _rule("claim_number__1", [], "is_empty")], operator="or")
    assert api.ids(ids=[str(item)]) == [item]
    assert item not in api.ids(rules=[_rule("text95__1", [], "is_empty")])


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (_rule("name", ["x"], "ends_with"), "InvalidArgumentException"),
        (_rule("lookup__1", ["x"]), "InvalidArgumentException"),
        (_rule("gone__1", ["x"]), "InvalidColumnIdException"),
        (_rule("__last_updated__", ["SOMEDAY"]), "InvalidArgumentException"),
    ],
)
def test_filters_that_monday_does_not_know(api: Api, rule: dict[str, Any], code: str) -> None:
    assert api.code(PAGE, board=[MASTER], limit=5, params={"rules": [rule]}) == code


def test_the_last_updated_day_is_the_users_day(api: Api, item: int) -> None:
    api.sandbox.freeze("2026-12-02T05:00:00Z")  # still 1 December in Denver
    api.sandbox.rename(item, "Renamed")
    assert api.ids(rules=[_rule("__last_updated__", ["EXACT", "2026-12-01"])]) == [item]


def test_order_by_last_updated(api: Api, item: int) -> None:
    api.sandbox.advance(60)
    api.sandbox.rename(item, "Renamed")
    assert api.ids(order_by=[{"column_id": "__last_updated__", "direction": "desc"}])[0] == item
    assert api.ids(order_by=[{"column_id": "__last_updated__"}])[-1] == item


def test_items_by_column_values(api: Api, item: int) -> None:
    asked = """query Q($b: ID!, $c: [ItemsPageByColumnValuesQuery!]) {
        items_page_by_column_values(board_id: $b, limit: 10, columns: $c) { cursor items { id } } }"""
    api.sandbox.edit(item, {"claim_number__1": "key-1"})
    columns = [{"column_id": "claim_number__1", "column_values": ["key-1", "key-2"]}]
    assert api.ask(asked, b=MASTER, c=columns)["items_page_by_column_values"] == {
        "cursor": None, "items": [{"id": str(item)}],
    }  # fmt: skip


AGGREGATE = """query Count($q: AggregateQueryInput!) { aggregate(query: $q) { results { entries { alias value {
    ... on AggregateBasicAggregationResult { result } ... on AggregateGroupByResult { value_raw: value } } } } } }"""


def test_counts(api: Api) -> None:
    count = {"type": "FUNCTION", "as": "n", "function": {"function": "COUNT_ITEMS"}}
    query: dict[str, Any] = {"from": {"type": "TABLE", "id": MASTER}, "select": [count]}
    api.sandbox.archive(api.sandbox.item_ids()[0])
    (result,) = api.ask(AGGREGATE, q=query)["aggregate"]["results"]
    assert result["entries"] == [{"alias": "n", "value": {"result": 59.0}}]
    nothing = {**query, "query": {"rules": [_rule("name", ["nobody"])]}}
    (result,) = api.ask(AGGREGATE, q=nothing)["aggregate"]["results"]
    assert result["entries"] == [{"alias": "n", "value": {"value_raw": None}}]
    group = {"type": "COLUMN", "as": "g", "column": {"column_id": "group"}}
    by_group = {**query, "select": [group, count], "group_by": [{"column_id": "g"}]}
    results = api.ask(AGGREGATE, q=by_group)["aggregate"]["results"]
    assert [[entry["value"] for entry in result["entries"]] for result in results] == [
        [{"value_raw": "new_lead"}, {"result": 19.0}],
        [{"value_raw": "inspection_scheduled"}, {"result": 20.0}],
        [{"value_raw": "claim_filed"}, {"result": 20.0}],
    ]


def test_the_boards_own_count_can_lag(api: Api) -> None:
    asked = "query Q($b: [ID!]) { boards(ids: $b) { items_count } }"
    api.sandbox.set_items_count(MASTER, 58)
    assert api.ask(asked, b=[MASTER])["boards"] == [{"items_count": 58}]
    api.sandbox.set_items_count(MASTER, None)
    assert api.ask(asked, b=[MASTER])["boards"] == [{"items_count": 60}]


def test_activity_logs(api: Api, item: int) -> None:
    asked = """query Q($b: [ID!], $from: ISO8601DateTime, $ids: [ID!], $limit: Int, $page: Int) { boards(ids: $b) {
        activity_logs(from: $from, item_ids: $ids, limit: $limit, page: $page) {
            id event entity user_id created_at data } } }"""
    api.sandbox.freeze("2026-11-24T10:00:00.5Z")
    api.sandbox.edit(item, {"text95__1": "Appraisal"})
    api.change(item, text95__1="Approved")
    (board,) = api.ask(asked, b=[MASTER], **{"from": "2026-11-24T00:00:00Z"}, ids=[item])["boards"]
    ours, theirs = board["activity_logs"]
    assert (ours["event"], ours["entity"], ours["created_at"]) == ("update_column_value", "pulse", "17955144005000000")
    assert ours["user_id"] != theirs["user_id"]
    assert ours["id"] != theirs["id"]
    assert json.loads(ours["data"])["previous_value"] == {"value": "Appraisal"}
    (board,) = api.ask(asked, b=[MASTER], ids=[item], limit=1, page=3)["boards"]
    assert [entry["event"] for entry in board["activity_logs"]] == ["create_pulse"]


# Cells as they are read

AT = "2026-11-23T15:00:00.000Z"
READ: list[tuple[str, Any, dict[str, Any], Any]] = [
    # column, set as a person, the typed fields and text when set, the decoded value when set
    ("text95__1", "Approved", {"text": "Approved"}, "Approved"),
    ("long_text__1", {"text": "line"}, {"text": "line"}, {"text": "line", "changed_at": AT}),
    ("numbers0", "3.10", {"text": "3.1", "number": 3.1}, "3.1"),
    (
        "email4__1",
        {"email": "a@b.co", "text": "Ann"},
        {"text": "Ann - a@b.co", "email": "a@b.co", "label": "Ann", "updated_at": "2026-11-23T15:00:00Z"},
        {"email": "a@b.co", "text": "Ann", "changed_at": AT},
    ),
    ("email4__1", {"email": "a@b.co", "text": "a@b.co"}, {"text": "a@b.co", "label": "a@b.co"}, None),
    (
        "phone_1__1",
        {"phone": "+12025550172", "countryShortName": "US"},
        {"text": "+12025550172", "phone": "+12025550172", "country_short_name": "US"},
        {"phone": "+12025550172", "countryShortName": "US"},
    ),
    (
        "link__1",
        {"url": "https://x.co/1", "text": "Job"},
        {"text": "Job - https://x.co/1", "url": "https://x.co/1", "url_text": "Job"},
        {"url": "https://x.co/1", "text": "Job", "changed_at": AT},
    ),
    ("link__1", {"url": "https://x.co/1", "text": ""}, {"text": " - https://x.co/1", "url_text": ""}, None),
    (
        "job_division___1__1",
        {"label": "Retail"},
        {"text": "Retail", "label": "Retail", "index": 3, "is_done": False},
        {"index": 3, "post_id": None, "changed_at": AT},
    ),
    (
        "date_19__1",
        {"date": "2026-04-30"},
        {"text": "2026-04-30", "date": "2026-04-30", "time": ""},
        {"date": "2026-04-30", "icon": None, "changed_at": AT},
    ),
    (  # the user's zone is seven hours behind in winter
        "date_19__1",
        {"date": "2026-01-02", "time": "03:00:00"},
        {"text": "2026-01-01 20:00", "date": "2026-01-01", "time": "20:00:00"},
        {"date": "2026-01-02", "time": "03:00:00", "icon": None, "changed_at": AT},
    ),
    (
        "dropdown__1",
        {"labels": ["Roof", "Siding"]},
        {"text": "Roof, Siding", "values": [{"id": "1", "label": "Roof"}, {"id": "3", "label": "Siding"}]},
        {"ids": [1, 3]},
    ),
    (
        "people__1",
        {"personsAndTeams": [{"id": 41000002, "kind": "person"}]},
        {"text": "Dana Office", "persons_and_teams": [{"id": "41000002", "kind": "person"}]},
        {"personsAndTeams": [{"id": 41000002, "kind": "person"}], "changed_at": AT},
    ),
    ("check__1", {"checked": "true"}, {"text": "v", "checked": True}, {"checked": True, "changed_at": AT}),
    ("lookup__1", {"display": "Retail"}, {"text": None, "value": None, "display_value": "Retail"}, None),
    ("formula__1", {"display": "12"}, {"text": None, "value": None, "display_value": "12"}, None),
]


@pytest.mark.parametrize(("column", "written", "shown", "value"), READ)
def test_a_cell_is_read_as_monday_shows_it(
    api: Api, item: int, column: str, written: Any, shown: dict[str, Any], value: Any
) -> None:
    api.sandbox.edit(item, {column: written})
    cell = api.cell(item, column)
    assert shown.items() <= cell.items()
    if value is not None:
        assert json.loads(cell["value"]) == value


EMPTY = [
    ("text95__1", {"text": "", "value": None}),
    ("long_text__1", {"text": "", "value": None}),
    ("numbers0", {"text": "", "value": None, "number": None}),
    ("email4__1", {"text": "", "value": None, "email": None, "label": None}),
    ("phone_1__1", {"text": "", "value": None, "phone": None, "country_short_name": None}),
    ("link__1", {"text": "", "value": None, "url": None, "url_text": None}),
    ("job_division___1__1", {"text": None, "value": None, "label": None, "index": None}),
    ("date_19__1", {"text": "", "value": None, "date": "", "time": ""}),
    ("dropdown__1", {"text": None, "value": None, "values": []}),
    ("people__1", {"text": "", "value": None, "persons_and_teams": []}),
    ("files9__1", {"text": "", "value": None, "files": []}),
    ("lookup__1", {"text": None, "value": None, "display_value": ""}),
    ("connect_boards__1", {"text": None, "value": None, "display_value": "", "linked_item_ids": []}),
]


@pytest.mark.parametrize(("column", "shown"), EMPTY)
def test_an_empty_cell_is_read_as_monday_shows_it(api: Api, item: int, column: str, shown: dict[str, Any]) -> None:
    assert shown.items() <= api.cell(item, column).items()


def test_files_of_every_kind(api: Api, item: int) -> None:
    files = [
        {"id": i, "name": f"{kind}.pdf", "kind": kind} for i, kind in enumerate(("asset", "link", "doc", "invalid"), 1)
    ]
    api.sandbox.edit(item, {"files9__1": {"files": files}})
    asset, link, doc, invalid = api.cell(item, "files9__1")["files"]
    assert (asset["__typename"], asset["asset_id"], asset["name"], asset["asset"]["id"]) == (
        "FileAssetValue",
        "1",
        "asset.pdf",
        "1",
    )
    assert (link["__typename"], link["file_id"], link["name"]) == ("FileLinkValue", "2", "link.pdf")
    assert (doc["__typename"], set(doc)) == ("FileDocValue", {"__typename", "file_id", "url"})
    assert (invalid["__typename"], invalid["invalid_name"]) == ("FileAssetInvalidValue", "invalid.pdf")


def test_a_fragment_for_another_type_is_not_applied(api: Api, item: int) -> None:
    assert set(api.cell(item, "text95__1")) == {"id", "type", "text", "value"}


def test_column_values_follow_the_boards_order_and_drop_unknown_ids(api: Api, item: int) -> None:
    cells = api.item(item, "numbers0", "gone__1", "text95__1")["column_values"]
    assert [cell["id"] for cell in cells] == ["text95__1", "numbers0"]
    every = api.ask("query Q($i: [ID!]) { items(ids: $i) { column_values { id column { title type } } } }", i=[item])
    columns = api.sandbox.world.boards[MASTER].columns
    assert [cell["column"]["title"] for cell in every["items"][0]["column_values"]] == [c.title for c in columns]


def test_what_cannot_be_utf_8_goes_out_as_an_escape(api: Api, item: int) -> None:
    api.sandbox.edit(item, {"text43__1": "nul \0, half \ud83d, whole 🏠"})
    reply = api.post(BY_ID, ids=[item], cols=["text43__1"])
    assert rb"nul \u0000, half \ud83d, whole " + "🏠".encode() in reply.content
    assert reply.json()["data"]["items"][0]["column_values"][0]["text"] == "nul \0, half \ud83d, whole 🏠"


def test_changes_of_the_board_show_at_once(api: Api, item: int) -> None:
    sandbox = api.sandbox
    sandbox.edit(item, {"job_division___1__1": {"label": "Retail"}, "claim_number__1": "C-1", "numbers0": "7"})
    assert api.cell(item, "job_division___1__1")["label"] == "Retail"
    before = api.item(item)["updated_at"]
    sandbox.advance(100)
    sandbox.rename_label(MASTER, "job_division___1__1", "Retail", "Retail & Co")
    assert api.cell(item, "job_division___1__1")["label"] == "Retail & Co"
    sandbox.retype_column(MASTER, "numbers0", "text")
    assert api.cell(item, "numbers0")["text"] == "7"
    sandbox.remove_column(MASTER, "claim_number__1")
    assert api.item(item, "claim_number__1")["column_values"] == []
    sandbox.restore_column(MASTER, "claim_number__1")
    assert api.item(item, "claim_number__1")["column_values"] != []
    sandbox.add_column(MASTER, "extra__1", "Extra", "status", ["One", "Two"])
    sandbox.edit(item, {"extra__1": {"label": "Two"}})
    assert api.cell(item, "extra__1")["label"] == "Two"
    assert api.item(item)["updated_at"] > before, "the edit moved it, the changes of the board did not"


# Writing


REFUSED: list[tuple[str, Any]] = [
    ("text95__1", 5),
    ("text95__1", {"text": "x"}),
    ("long_text__1", {"text": "x" * 2001}),
    ("numbers0", 12.5),
    ("numbers0", "1,200"),
    ("numbers0", "$5"),
    ("numbers0", "NaN"),
    ("email4__1", {"email": "a@b.co"}),
    ("email4__1", {"email": "nobody", "text": "nobody"}),
    ("email4__1", "a@b.co"),
    ("phone_1__1", {"phone": "+12025550172"}),
    ("phone_1__1", {"phone": "5550100", "countryShortName": "US"}),
    ("phone_1__1", {"phone": "2025550172 x12", "countryShortName": "US"}),
    ("phone_1__1", {"phone": "2025550172", "countryShortName": "us"}),
    ("link__1", {"url": "x.co/1", "text": "Job"}),
    ("link__1", {"url": "javascript:alert(1)", "text": "Job"}),
    ("job_division___1__1", {"label": "retail"}),
    ("job_division___1__1", {"index": 77}),
    ("job_division___1__1", "Retail"),
    ("date_19__1", {"date": "30/04/2026"}),
    ("date_19__1", {"date": "2026-02-30"}),
    ("date_19__1", {"date": "2026-04-30", "time": "9am"}),
    ("dropdown__1", {"labels": ["Moat"]}),
    ("files9__1", {"files": []}),
    ("lookup__1", "x"),
    ("lookup__1", None),
    ("formula__1", None),
]


@pytest.mark.parametrize(("column", "value"), REFUSED)
def test_a_value_of_the_wrong_form_refuses_the_whole_item(api: Api, item: int, column: str, value: Any) -> None:
    before = api.sandbox.digest()
    error = api.change(item, text43__1="a good value", **{column: value}).json()["errors"][0]
    assert error["path"] == ["change_multiple_column_values"]
    assert error["extensions"]["code"] == "ColumnValueException"
    assert error["extensions"]["error_data"]["column_id"] == column
    assert api.sandbox.digest() == before
    refused = api.post(CREATE, board=MASTER, name="New", values=json.dumps({column: value})).json()
    assert refused["data"] == {"create_item": None}
    assert not api.sandbox.find(MASTER, "New")


@pytest.mark.parametrize(
    ("column", "value"),
    [(column, value) for column, value, _shown, _value in READ if column not in ("lookup__1", "formula__1")]
    + [
        ("phone_1__1", {"phone": "(202) 555-0172", "countryShortName": "US"}),
        ("phone_1__1", {"phone": "12025550172", "countryShortName": "US"}),
        ("phone_1__1", {"phone": "+442071838750", "countryShortName": "GB"}),
        ("job_division___1__1", {"index": 3}),
        ("numbers0", "-.5"),
        ("numbers0", "1000000000000000"),
    ],
)
def test_what_is_written_is_read_and_null_clears_it(api: Api, item: int, column: str, value: Any) -> None:
    api.sandbox.advance(5)
    assert "errors" not in api.change(item, **{column: value}).json()
    assert column in api.sandbox.item(item)["cells"]
    assert api.item(item)["updated_at"] == "2026-11-23T15:00:05Z"
    assert "errors" not in api.change(item, **{column: None}).json()
    assert column not in api.sandbox.item(item)["cells"]


def test_a_files_cell_can_only_be_emptied(api: Api, item: int) -> None:
    api.sandbox.edit(item, {"files9__1": {"files": [{"id": 1, "name": "a.pdf"}]}})
    assert "errors" not in api.change(item, files9__1={"clear_all": True}).json()
    assert api.cell(item, "files9__1")["files"] == []


def test_labels_are_created_only_on_demand(api: Api, item: int) -> None:
    asked = CHANGE.replace("column_values: $values", "column_values: $values, create_labels_if_missing: true")
    values = json.dumps({"job_division___1__1": {"label": "Night Crew"}})
    assert api.code(CHANGE, board=MASTER, item=item, values=values) == "ColumnValueException"
    api.ask(asked, board=MASTER, item=item, values=values)
    assert api.cell(item, "job_division___1__1")["label"] == "Night Crew"
    api.sandbox.deactivate_label(MASTER, "job_division___1__1", "Night Crew")
    assert api.code(CHANGE, board=MASTER, item=item, values=values) == "ColumnValueException"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": "x" * 256}, "ItemNameTooLongException"),
        ({"name": ""}, "InvalidArgumentException"),
        ({"gone__1": "x"}, "InvalidColumnIdException"),
        (["not", "an", "object"], "ColumnValueException"),
        ({"people__1": {"personsAndTeams": [{"id": 1, "kind": "person"}]}}, "InvalidUserIdException"),
    ],
)
def test_writes_that_monday_refuses_by_name(api: Api, item: int, values: Any, code: str) -> None:
    assert api.code(CHANGE, board=MASTER, item=item, values=json.dumps(values)) == code


def test_writes_to_what_is_not_there(api: Api, item: int) -> None:
    assert api.code(CHANGE, board=MASTER, item=1, values="{}") == "ResourceNotFoundException"
    assert api.code(CHANGE, board=1, item=item, values="{}") == "InvalidBoardIdException"
    assert api.code(CHANGE, board=STAFF, item=item, values="{}") == "InvalidItemIdException"
    assert api.code(CREATE, board=MASTER, group="nowhere", name="New") == "InvalidGroupIdException"
    api.sandbox.archive(item)
    assert api.code(CHANGE, board=MASTER, item=item, values="{}") == "InvalidItemIdException"


def test_create_puts_an_item_into_the_first_group_or_the_named_one(api: Api) -> None:
    first = api.ask(CREATE, board=MASTER, name="A", values=json.dumps({"numbers0": "5"}))["create_item"]
    assert first["group"] == {"id": "new_lead"}
    second = api.ask(CREATE, board=MASTER, name="B", group="claim_filed")["create_item"]
    assert second["group"] == {"id": "claim_filed"}
    assert api.cell(int(first["id"]), "numbers0")["text"] == "5"
    assert api.ids()[-2:] == [int(first["id"]), int(second["id"])]
    api.sandbox.set_board(MASTER, items_limit=62)
    assert api.code(CREATE, board=MASTER, name="C") == "ItemsLimitationException"


def test_aliases_run_in_order_and_a_failed_one_is_null(api: Api, item: int) -> None:
    batch = """mutation Batch($b: ID!, $i: ID!, $v0: JSON!, $v1: JSON!, $v2: JSON!) {
        a0: change_multiple_column_values(board_id: $b, item_id: $i, column_values: $v0) { id }
        a1: change_multiple_column_values(board_id: $b, item_id: $i, column_values: $v1) { id }
        a2: change_multiple_column_values(board_id: $b, item_id: $i, column_values: $v2) { id }
        complexity { query } }"""
    values = [{"text95__1": "one"}, {"numbers0": "bad"}, {"text95__1": "two"}]
    variables: dict[str, Any] = {f"v{position}": json.dumps(value) for position, value in enumerate(values)}
    answer = api.post(batch, b=MASTER, i=item, **variables).json()
    assert answer["data"]["a0"] == answer["data"]["a2"] == {"id": str(item)}
    assert answer["data"]["a1"] is None
    assert [error["path"] for error in answer["errors"]] == [["a1"]]
    assert answer["data"]["complexity"]["query"] == 15_001
    assert api.cell(item, "text95__1")["text"] == "two"


def test_values_written_into_the_text_of_a_query(api: Api, item: int) -> None:
    literal = json.dumps(json.dumps({"text95__1": "inline"}))
    written = f"board_id: {MASTER}, item_id: {item}, column_values: {literal}"
    api.ask(f"mutation {{ change_multiple_column_values({written}) {{ id }} }}")
    assert api.cell(item, "text95__1")["text"] == "inline"


def test_archive_delete_and_moves(api: Api, item: int) -> None:
    assert api.ask(
        'mutation M($i: ID!) { move_item_to_group(item_id: $i, group_id: "claim_filed") { group { id } } }', i=item
    )
    assert api.item(item)["group"]["id"] == "claim_filed"
    archive = "mutation M($i: ID!) { archive_item(item_id: $i) { id state } }"
    for _again in range(2):
        assert api.ask(archive, i=item)["archive_item"]["state"] == "archived"
    delete = "mutation M($i: ID!) { delete_item(item_id: $i) { id state } }"
    assert api.ask(delete, i=item)["delete_item"]["state"] == "deleted"
    assert api.code(delete, i=item) == "ResourceNotFoundException"
    other = api.sandbox.item_ids()[0]
    api.sandbox.edit(other, {"phone_1__1": {"phone": "12025550172", "countryShortName": "US"}})
    move = """mutation M($i: ID!, $b: ID!) { move_item_to_board(item_id: $i, board_id: $b, group_id: "topics",
        columns_mapping: [{source: "phone_1__1", target: "phone"}]) { id board { id } } }"""
    assert api.ask(move, i=other, b=STAFF)["move_item_to_board"] == {"id": str(other), "board": {"id": str(STAFF)}}
    assert set(api.sandbox.item(other)["cells"]) == {"phone"}


def test_create_column(api: Api, item: int) -> None:
    create = (
        'mutation M($b: ID!) { create_column(board_id: $b, title: "Sync key", column_type: text) { id title type } }'
    )
    assert api.ask(create, b=MASTER)["create_column"] == {"id": "sync_key", "title": "Sync key", "type": "text"}
    api.change(item, sync_key="k1")
    assert api.cell(item, "sync_key")["text"] == "k1"


# Idempotency


def test_the_same_key_is_answered_from_memory_for_30_minutes(api: Api) -> None:
    keyed = {"Idempotency-Key": "k"}
    first = api.post(CREATE, keyed, board=MASTER, name="Once")
    again = api.post(CREATE, keyed, board=MASTER, name="Once")
    assert again.content == first.content
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(api.sandbox.find(MASTER, "Once")) == 1
    api.sandbox.advance(31 * 60)
    assert "Idempotency-Replayed" not in api.post(CREATE, keyed, board=MASTER, name="Once").headers
    assert len(api.sandbox.find(MASTER, "Once")) == 2


def test_a_key_that_still_runs_is_a_conflict(api: Api) -> None:
    assert api.sandbox.service.idempotency.begin("k") is None
    reply = api.post(CREATE, {"Idempotency-Key": "k"}, board=MASTER, name="Once")
    assert (reply.status_code, reply.headers["Retry-After"]) == (409, "1")
    assert reply.json()["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_CONFLICT"


def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    api.sandbox.set_limits(complexity_minute=0)
    keyed = {"Idempotency-Key": "k"}
    assert api.post(CREATE, keyed, board=MASTER, name="Once").status_code == 429
    api.sandbox.set_limits(complexity_minute=10_000_000)
    reply = api.post(CREATE, keyed, board=MASTER, name="Once")
    assert "Idempotency-Replayed" not in reply.headers
    assert reply.json()["data"]["create_item"]


def test_whether_errors_are_replayed_can_be_chosen(api: Api, item: int) -> None:
    keyed, bad = {"Idempotency-Key": "k"}, json.dumps({"numbers0": "bad"})
    api.sandbox.set_idempotency(stores_errors=False)
    for _again in range(2):
        assert "Idempotency-Replayed" not in api.post(CHANGE, keyed, board=MASTER, item=item, values=bad).headers
    api.sandbox.set_idempotency(stores_errors=True)
    api.post(CHANGE, keyed, board=MASTER, item=item, values=bad)
    assert "Idempotency-Replayed" in api.post(CHANGE, keyed, board=MASTER, item=item, values=bad).headers


@pytest.mark.parametrize("effect", [False, True])
def test_a_stored_fault_is_all_that_its_key_ever_answers(api: Api, effect: bool) -> None:
    keyed = {"Idempotency-Key": "k"}
    api.sandbox.fault("internal_error", match="mutation", effect=effect, stored=True)
    for replayed in (None, "true"):
        reply = api.post(CREATE, keyed, board=MASTER, name="Once")
        assert (reply.status_code, reply.headers.get("Idempotency-Replayed")) == (500, replayed)
    assert len(api.sandbox.find(MASTER, "Once")) == effect


def test_a_protected_item_is_seen_and_not_written(api: Api, item: int) -> None:
    api.sandbox.protect(item)
    before = api.sandbox.item(item)
    reply = api.post(CHANGE, board=MASTER, item=item, values=json.dumps({"name": "x"})).json()
    assert reply["errors"][0]["extensions"]["code"] == "UserUnauthorizedException"
    assert api.sandbox.item(item) == before
    api.sandbox.protect(item, protected=False)
    assert "errors" not in api.post(CHANGE, board=MASTER, item=item, values=json.dumps({"name": "x"})).json()


# Bulk jobs

START = """mutation S($b: ID!, $m: OnMatchInput) {
    ingest_items(board_id: $b, group_id: "claim_filed", on_match: $m) { job_id upload_url } }"""
STATUS = """query S($j: ID!) { fetch_job_status(job_id: $j) { ... on ItemsJobStatus {
    status failure_reason fully_imported
    counts { submitted invalid skipped created updated failed } report_created report_url } } }"""


def _ingest(
    api: Api, rows: list[list[str]], match: dict[str, str] | None = None
) -> tuple[dict[str, Any], list[list[str]]]:
    """Upload, poll twice; the last status and the report's rows."""
    job = api.ask(START, b=MASTER, m=match)["ingest_items"]
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    assert api.ask(STATUS, j=job["job_id"])["fetch_job_status"]["status"] == "UPLOAD_PENDING"
    put = requests.put(
        job["upload_url"], data=text.getvalue().encode(), headers={"Content-Type": "text/csv"}, timeout=10
    )
    assert put.status_code == 200
    assert put.headers["ETag"]
    assert api.ask(STATUS, j=job["job_id"])["fetch_job_status"]["status"] == "PROCESSING"
    status = api.ask(STATUS, j=job["job_id"])["fetch_job_status"]
    report = requests.get(status["report_url"], timeout=10).text if status["report_url"] else ""
    return status, list(csv.reader(io.StringIO(report)))


def test_ingest_creates_and_reports(api: Api) -> None:
    header = ["name", "claim_number__1", "numbers0", "email4__1"]
    rows = [["One", "C-1", "5", "Ann <a@b.co>"], ["Two", "C-2", "bad", ""], ["Three", "C-3", "", "c@d.co"]]
    status, report = _ingest(api, [header, *rows])
    assert status["status"] == "COMPLETED"
    assert status["fully_imported"] is True, "although a row was invalid"
    assert status["counts"] == {"submitted": 3, "invalid": 1, "skipped": 0, "created": 2, "updated": 0, "failed": 0}
    assert report[0] == ["serialNo", "status", "itemId", "error", "claim_number__1", "numbers0", "email4__1"]
    assert [(row[0], row[1]) for row in report[1:]] == [("1", "CREATED"), ("2", "INVALID"), ("3", "CREATED")]
    assert "not a number" in report[2][5]
    created = api.sandbox.item(int(report[1][2]))
    assert (created["name"], created["group_id"]) == ("One", "claim_filed")
    assert created["cells"]["email4__1"]["text"] == "Ann - a@b.co"


def test_ingest_upserts_by_a_column(api: Api, item: int) -> None:
    api.sandbox.edit(item, {"claim_number__1": "C-1", "numbers0": "5", "text43__1": "old"})
    match = {"behaviour": "UPSERT", "match_column_id": "claim_number__1"}
    rows = [
        ["name", "claim_number__1", "numbers0", "text43__1"],
        ["Renamed", "C-1", "", "<NULL>"],
        ["New", "", "7", ""],
    ]
    status, report = _ingest(api, rows, match)
    assert (status["counts"]["updated"], status["counts"]["created"]) == (1, 1)
    assert int(report[1][2]) == item
    cells = api.sandbox.item(item)["cells"]
    assert cells["numbers0"]["text"] == "5", "an empty cell keeps the old value"
    assert "text43__1" not in cells
    status, _report = _ingest(api, rows[:2], {**match, "behaviour": "SKIP"})
    assert status["counts"]["skipped"] == 1


def test_ingest_refuses_what_is_no_upload(api: Api) -> None:
    status, _report = _ingest(api, [["title"], ["One"]])
    assert (status["status"], status["failure_reason"], status["counts"]) == ("REJECTED", "INVALID_UPLOAD", None)
    job = api.ask(START, b=MASTER)["ingest_items"]
    kind = {"Content-Type": "text/csv"}
    assert (
        requests.put(
            job["upload_url"], data=b"name\nA\n", headers={**kind, "Authorization": "t"}, timeout=10
        ).status_code
        == 403
    )
    api.sandbox.advance(601)
    assert requests.put(job["upload_url"], data=b"name\nA\n", headers=kind, timeout=10).status_code == 403


def test_bulk_archive(api: Api) -> None:
    ids = api.sandbox.item_ids()[:3]
    start = "mutation B($b: ID!, $i: [ID!]!) { bulk_archive_items(board_id: $b, item_ids: $i) { job_id } }"
    job = api.ask(start, b=MASTER, i=[*ids, 1])["bulk_archive_items"]["job_id"]
    asked = "query J($j: ID!) { job_status(job_id: $j) { status result { total succeeded failed details } } }"
    status = api.ask(asked, j=job)["job_status"]
    assert status["status"] == "COMPLETED"
    assert (status["result"]["succeeded"], status["result"]["failed"]) == (3, 1)
    assert api.sandbox.item_ids(state="archived")[:3] == ids


# Limits


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"daily_calls": 2}, "DAILY_LIMIT_EXCEEDED"),
        ({"minute_calls": 2}, "MINUTE_RATE_LIMIT_EXCEEDED"),
        ({"complexity_minute": 12}, "COMPLEXITY_BUDGET_EXHAUSTED"),
    ],
)
def test_a_budget_that_is_spent(api: Api, limit: dict[str, int], code: str) -> None:
    api.sandbox.set_limits(**limit)
    asked = "{ me { id } }"
    replies = [api.post(asked) for _call in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["errors"][0]["extensions"]["code"] == code
    assert int(replies[2].headers["Retry-After"]) > 0
    api.sandbox.advance(86_400)
    assert api.post(asked).status_code == 200


def test_calls_at_once(api: Api) -> None:
    api.sandbox.set_limits(concurrency=0)
    assert api.code("{ me { id } }") == "MAX_CONCURRENCY_EXCEEDED"
    assert api.sandbox.counters()["max_in_flight"] == 1


def test_points_as_the_documentation_samples_them(api: Api) -> None:
    asked = PAGE.replace(
        "{ id name } } } }", '{ id column_values(ids: ["numbers0"]) { text } } } } complexity { query } }'
    )
    assert api.ask(asked, board=[MASTER], limit=500)["complexity"]["query"] == 10 + 5520 + 1
    api.sandbox.set_limits(complexity_query=5000)
    (error,) = api.post(asked, board=[MASTER], limit=500).json()["errors"]
    assert "exceeds max complexity" in error["message"]
    assert api.post(asked, board=[MASTER], limit=250).status_code == 200


def test_limit_headers(api: Api) -> None:
    api.sandbox.set_limits(minute_calls=1000, concurrency=40, complexity_minute=10_000_000)
    reply = api.post("{ me { id } }")
    assert '"minuteRate";q=1000;w=60, "concurrency";q=40;qu="concurrent-requests"' in reply.headers["RateLimit-Policy"]
    assert '"minuteRate";r=999' in reply.headers["RateLimit"]
    assert reply.headers["x-request-id"] == reply.json()["extensions"]["request_id"]


# Faults

COUNT = "query Count { boards { items_count } }"
ANSWERS: dict[str, tuple[int, str]] = {
    "rate_limited": (429, "RATE_LIMIT_EXCEEDED"),
    "rate_limited_date": (429, "Rate Limit Exceeded"),
    "complexity_exhausted": (429, "COMPLEXITY_BUDGET_EXHAUSTED"),
    "complexity_exhausted_200": (200, "COMPLEXITY_BUDGET_EXHAUSTED"),
    "complexity_legacy": (429, "ComplexityException"),
    "complexity_in_text": (200, "reset in 3 seconds"),
    "too_complex": (200, "exceeds max complexity"),
    "minute_limit": (429, "MINUTE_RATE_LIMIT_EXCEEDED"),
    "concurrency_limit": (429, "MAX_CONCURRENCY_EXCEEDED"),
    "daily_limit": (429, "DAILY_LIMIT_EXCEEDED"),
    "ip_limit": (429, "IP_RATE_LIMIT_EXCEEDED"),
    "too_many_requests": (200, "tooManyRequests"),
    "cell_unread": (200, "tooManyRequests"),
    "null_unexplained": (200, '"boards":null'),
    "error_beside_data": (200, "items_count"),
    "field_limit": (200, "tooManyRequests"),
    "locked": (423, "currently locked"),
    "conflict": (409, "IDEMPOTENCY_CONFLICT"),
    "internal_error": (500, "INTERNAL_SERVER_ERROR"),
    "internal_error_200": (200, "INTERNAL_SERVER_ERROR"),
    "bad_gateway": (502, "<!DOCTYPE html>"),
    "unavailable": (503, "TIMEOUT_EXCEEDED"),
    "gateway_timeout": (504, "<!DOCTYPE html>"),
    "temporarily_blocked": (200, "API_TEMPORARILY_BLOCKED"),
    "empty_body": (200, ""),
    "html_200": (200, "<!DOCTYPE html>"),
    "wrong_content_type": (200, "items_count"),
    "truncated_json": (200, '{"data"'),
    "latency": (200, "items_count"),
    "cursor_expired": (200, "CursorException"),
    "unauthorized": (401, "Not Authenticated"),
    "ip_restricted": (401, "restricted"),
    "forbidden": (403, "UserUnauthorizedException"),
    "user_unauthorized": (200, "UserUnauthorizedException"),
    "wrong_version": (200, "items_count"),
}
BROKEN = (
    "reset_before",
    "timeout_before",
    "reset_after",
    "timeout_after",
    "reset_mid_body",
    "short_body",
    "short_content_length",
)
FLAGS = ("repeated_cursor", "endless_pages", "page_drift", "stale_read", "item_deleted")


def test_every_fault_is_tried_here() -> None:
    assert {*ANSWERS, *BROKEN, *FLAGS} == set(FAULTS)


@pytest.mark.parametrize(("kind", "status", "holds"), [(kind, *answer) for kind, answer in ANSWERS.items()])
def test_a_fault_that_answers(api: Api, kind: str, status: int, holds: str) -> None:
    api.sandbox.fault(kind, retry_after=3)
    reply = api.post(COUNT)
    assert reply.status_code == status
    assert holds in reply.text
    assert api.ask(COUNT), "once only"
    assert [entry["fault"] for entry in api.sandbox.requests()] == [kind, None]


@pytest.mark.parametrize("kind", BROKEN)
def test_a_fault_that_breaks_the_connection(api: Api, kind: str) -> None:
    api.sandbox.fault(kind, match="mutation")
    with pytest.raises((requests.RequestException, json.JSONDecodeError)):
        api.post(CREATE, {"Idempotency-Key": "k"}, board=MASTER, name="Once").json()
    done = len(api.sandbox.find(MASTER, "Once"))
    assert done == (0 if kind in ("reset_before", "timeout_before") else 1)
    again = api.post(CREATE, {"Idempotency-Key": "k"}, board=MASTER, name="Once")
    assert ("Idempotency-Replayed" in again.headers) is bool(done)
    assert len(api.sandbox.find(MASTER, "Once")) == 1


def test_the_waits_that_faults_tell(api: Api) -> None:
    api.sandbox.fault("complexity_exhausted", retry_after=7)
    reply = api.post(COUNT)
    assert (reply.headers["Retry-After"], reply.json()["errors"][0]["extensions"]["retry_in_seconds"]) == ("7", 7)
    api.sandbox.fault("rate_limited_date")
    assert api.post(COUNT).headers["Retry-After"].endswith("GMT")
    api.sandbox.fault("wrong_version")
    assert api.post(COUNT).headers["api-version"] == "2026-07"


def test_a_gateway_timeout_may_hide_a_mutation_that_took_effect(api: Api) -> None:
    api.sandbox.fault("gateway_timeout", match="mutation", effect=True)
    assert api.post(CREATE, {"Idempotency-Key": "k"}, board=MASTER, name="Once").status_code == 504
    again = api.post(CREATE, {"Idempotency-Key": "k"}, board=MASTER, name="Once")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(api.sandbox.find(MASTER, "Once")) == 1


def test_rules_choose_their_requests(api: Api) -> None:
    api.sandbox.fault("internal_error", match="Count", nth=2, times=2)
    assert [api.post(query).status_code for query in (COUNT, "{ me { id } }", COUNT, COUNT, COUNT)] == [
        200,
        200,
        500,
        500,
        200,
    ]
    api.sandbox.fault("internal_error", match="read", times=0)
    assert [api.post(COUNT).status_code for _call in range(3)] == [500, 500, 500]
    assert api.post(CREATE, board=MASTER, name="New").status_code == 200
    api.sandbox.clear_faults()
    assert api.post(COUNT).status_code == 200
    with pytest.raises(ValueError, match="unknown fault"):
        api.sandbox.fault("gremlins")


def test_partial_data_comes_with_errors(api: Api) -> None:
    asked = """query Q($b: [ID!]) { boards(ids: $b) {
        items_page(limit: 4) { items { id column_values { id type text } } } } }"""
    api.sandbox.fault("field_limit")
    answer = api.post(asked, b=[MASTER]).json()
    items = answer["data"]["boards"][0]["items_page"]["items"]
    assert answer["errors"][0]["extensions"]["code"] == "FIELD_MINUTE_RATE_LIMIT_EXCEEDED"
    assert any(cell["text"] for cell in items[0]["column_values"])
    assert not any(cell["text"] for cell in items[3]["column_values"])
    api.sandbox.fault("too_many_requests")
    answer = api.post(asked, b=[MASTER]).json()
    assert (answer["data"], answer["errors"][0]["path"]) == ({"boards": None}, ["boards"])


def test_faults_of_paging(api: Api) -> None:
    cursor = api.page(limit=10)["cursor"]
    api.sandbox.fault("repeated_cursor", match="next_items_page")
    assert api.ask(NEXT, cursor=cursor, limit=10)["next_items_page"]["cursor"] == cursor
    api.sandbox.fault("endless_pages", match="next_items_page", times=0)
    for _page in range(12):
        cursor = api.ask(NEXT, cursor=cursor, limit=10)["next_items_page"]["cursor"]
    assert cursor


def test_a_lagging_replica_and_a_deletion_at_the_last_moment(api: Api, item: int) -> None:
    api.sandbox.edit(item, {"text95__1": "old"})
    api.sandbox.advance(60)
    api.sandbox.edit(item, {"text95__1": "new"})
    api.sandbox.fault("stale_read")
    assert [api.cell(item, "text95__1")["text"] for _read in range(2)] == ["old", "new"]
    order = api.sandbox.item_ids()
    api.sandbox.fault("page_drift", match="next_items_page")
    first = api.ask(PAGE, board=[MASTER], limit=10)["boards"][0]["items_page"]
    assert api.sandbox.item_ids() == order
    api.ask(NEXT, cursor=first["cursor"], limit=10)
    assert (api.sandbox.item_ids() != order, sorted(api.sandbox.item_ids())) == (True, sorted(order))
    api.sandbox.fault("item_deleted", match="mutation")
    assert api.code(CHANGE, board=MASTER, item=item, values="{}") == "ResourceNotFoundException"


def test_latency_is_added_and_counted_in_the_log(api: Api) -> None:
    api.sandbox.set_latency(fixed_ms=20, per_item_ms=1)
    assert api.post(PAGE, board=[MASTER], limit=10).elapsed.total_seconds() >= 0.03


# The sandbox itself


def test_counters_and_log(api: Api, item: int) -> None:
    api.sandbox.reset_counters()
    api.page(limit=10)
    api.change(item, text95__1="x")
    counters = api.sandbox.counters()
    assert (counters["requests"], counters["reads"], counters["mutations"], counters["items"]) == (2, 1, 1, 11)
    assert counters["by_operation"] == {"Page": 1, "Change": 1}
    assert counters["daily_calls"] == 2.0
    (last,) = api.sandbox.requests(last=1)
    assert (last["operation"], last["root_fields"], last["status"]) == (
        "Change",
        ["change_multiple_column_values"],
        200,
    )
    assert last["variables"]["item"] == item


def test_the_control_interface_over_http(api: Api, item: int) -> None:
    remote = Remote(api.sandbox.url)
    remote("edit", item_id=item, cells={"email4__1": {"email": "a@b.co", "text": "a@b.co"}})
    assert remote("item", item_id=item)["cells"]["email4__1"]["text"] == "a@b.co"
    created = remote("create", board_id=MASTER, name="Made elsewhere", group_id="claim_filed")
    assert api.item(created)["group"]["id"] == "claim_filed"
    remote("fault", kind="internal_error", match="Count")
    assert api.post(COUNT).status_code == 500
    assert remote("counters")["faults"] == 1
    for command, arguments in (("nonsense", {}), ("edit", {"nope": 1}), ("edit", {"item_id": 1, "cells": {}})):
        with pytest.raises(ValueError, match=r"unknown command|argument|not found"):
            remote(command, **arguments)


def test_force_puts_what_the_api_refuses_on_the_board(api: Api, item: int) -> None:
    api.sandbox.edit(item, {"phone_1__1": {"phone": "ask Bob", "countryShortName": "US"}}, force=True)
    assert api.cell(item, "phone_1__1")["phone"] == "ask Bob"


def test_gzip_only_when_it_is_switched_on(api: Api) -> None:
    asked = (
        "query Q($b: [ID!]) { boards(ids: $b) { items_page(limit: 60) { items { id name column_values { text } } } } }"
    )
    assert "Content-Encoding" not in api.post(asked, b=[MASTER]).headers
    with Sandbox(api.sandbox.world, gzip=True) as packed, requests.Session() as session:
        body = {"query": asked, "variables": {"b": [MASTER]}}
        reply = session.post(packed.api_url, json=body, headers={"Authorization": "t"}, timeout=10)
        assert reply.headers["Content-Encoding"] == "gzip"
        assert len(reply.json()["data"]["boards"][0]["items_page"]["items"]) == 60


def test_a_saved_world_goes_on_where_it_stood(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "world.json"
    with Sandbox(seed_world(items=40, staff=4), state_file=state) as sandbox:
        created = sandbox.create(MASTER, "Kept", {"text43__1": "nul \0 half \ud83d"})
        sandbox.archive(sandbox.item_ids()[0])
        sandbox.shuffle(MASTER, seed=3)
        digest, order = sandbox.digest(), sandbox.item_ids()
    with Sandbox(state_file=state) as sandbox:
        assert (sandbox.digest(), sandbox.item_ids()) == (digest, order)
        assert sandbox.create(MASTER, "Next") == created + 1
    state.write_text('{"format": 99}')
    with pytest.raises(ValueError, match="not a saved sandbox"):
        Sandbox(state_file=state)


def test_the_command_prints_where_it_listens_and_keeps_its_state(tmp_path: Path) -> None:
    state = tmp_path / "world.json"
    for expected in (30, 31):
        command = [sys.executable, "-m", "sandbox", "--items", "30", "--staff", "3", "--state", str(state)]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                lines = dict(process.stdout.readline().strip().split("=", 1) for _line in range(3))
                assert (lines["master_board_id"], lines["staff_board_id"]) == (str(MASTER), str(STAFF))
                remote = Remote(lines["url"].removesuffix("/v2"))
                assert len(remote("item_ids")) == expected
                remote("create", board_id=MASTER, name="One more")
            finally:
                process.terminate()
            assert process.wait(timeout=10) == 0


# The seeded company


def test_the_same_seed_gives_the_same_company() -> None:
    digests = [Sandbox(seed_world(items=80, staff=10, seed=seed)).digest() for seed in (1, 1, 2)]
    assert digests[0] == digests[1] != digests[2]


def test_the_seeded_company_is_spread_as_asked() -> None:
    sandbox = Sandbox(seed_world(items=200, staff=10, groups=4, skew=0.7))
    groups = [sandbox.item(item_id)["group_id"] for item_id in sandbox.item_ids()]
    assert groups.count("new_lead") == 140
    assert len(set(groups)) == 4


def test_the_seeded_company_has_gaps_shared_customers_and_dirt() -> None:
    sandbox = Sandbox(seed_world(items=3000, staff=120))
    items = [sandbox.item(item_id) for item_id in sandbox.item_ids()]
    mapped = [column for column in monday_api.BOARDS["master"] if column != "name"]
    filled = sum(len(item["cells"].keys() & set(mapped)) for item in items) / (len(items) * len(mapped))
    assert 0.6 < filled < 0.8
    emails = [item["cells"]["email4__1"]["text"] for item in items if "email4__1" in item["cells"]]
    assert 0.15 < 1 - sum(emails.count(email) == 1 for email in emails) / len(emails) < 0.4
    texts = [cell["text"] or "" for item in items for cell in item["cells"].values()]
    for dirt in ("\0", "\ud83d", "DROP TABLE", "1000000000000000", "none@none.com", "\u202e", "  ", "delete_item"):
        assert any(dirt in text for text in texts), repr(dirt)
    assert max(map(len, texts)) == 5000
    newest = max(item["updated_at"] for item in items)
    assert newest.startswith("2026-11-2")
    assert 0 < sum(item["updated_at"] > "2026-11-21T12:00:00Z" for item in items) < 60
    customer = {"text65__1", "email4__1", "phone_1__1", "text43__1", "dup__of_job_address0__1"}
    assert any(not customer & item["cells"].keys() for item in items)
    staff = [sandbox.item(i)["cells"].get("email__1", {}).get("text") for i in sandbox.item_ids(STAFF)]
    assert len(staff) > len(set(staff)), "two people share an address"
