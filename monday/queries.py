"""Every document that reads, built once from the mapping: constant text, all values in variables.

Only mapped columns are asked for, and of each only the fields its codec reads, since monday prices every field of
every item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from monday.responses import Aliases, BoardsAnswer, Document, NextPageAnswer
from reconcile.columns import MARKER, TEXT, ColumnMap

LARGEST_PAGE = 500
IDS_PER_ROOT = 100  # `items(ids:)` takes 100 ids at most, and its limit defaults to 25 (monday docs)
MOST_ROOTS = LARGEST_PAGE // IDS_PER_ROOT

_PRICE = "complexity { query after reset_in_x_seconds }"
_COLUMNS = "columns { id title type archived revision }"
_ME = "me { name account { id name slug } }"
_GROUPS = "groups { id title archived deleted }"
_BOARD = "id name state hierarchy_type items_count"
_PLACE = "board { id } parent_item { id }"


@dataclass(frozen=True, slots=True)
class BoardQueries:
    """What is asked of one board: its id, its column ids, and the documents of its pages."""

    board: str
    board_id: int
    column_ids: tuple[str, ...]
    first_page: Document[BoardsAnswer]
    next_page: Document[NextPageAnswer]
    by_id: tuple[Document[Aliases], ...]
    """The document for one, two, … hundreds of ids."""

    def first_variables(self, limit: int, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"board": [str(self.board_id)], "limit": limit, "params": params} | self._columns

    def next_variables(self, limit: int, cursor: str) -> dict[str, Any]:
        return {"cursor": cursor, "limit": limit} | self._columns

    def by_id_request(self, ids: Sequence[int]) -> tuple[Document[Aliases], dict[str, Any]]:
        """The document and its variables for 1 to 500 ids: one call of the daily budget, whatever their number."""
        parts = [ids[start : start + IDS_PER_ROOT] for start in range(0, len(ids), IDS_PER_ROOT)]
        variables: dict[str, Any] = {f"ids{n}": [str(item_id) for item_id in part] for n, part in enumerate(parts)}
        return self.by_id[len(parts) - 1], variables | self._columns

    @property
    def _columns(self) -> dict[str, Any]:
        return {"cols": self.column_ids} if self.column_ids else {}


def board_queries(board: str, board_id: int, columns: ColumnMap) -> BoardQueries:
    """What a sync reads of each item."""
    return _queries(board, board_id, asked_columns(columns), row_fragment("Row", columns))


def asked_columns(columns: ColumnMap) -> tuple[str, ...]:
    """The ids of the cells that are asked for: one that the board has not is not answered. Our marker is among them,
    so that an item which the database forgot is known for what it is wherever it is read."""
    return (*(column_id for column_id in columns if column_id != "name"), MARKER)


def created_queries(board: str, board_id: int, column_ids: tuple[str, ...] = ()) -> BoardQueries:
    """Of each item only who created it and when, and the text of these text columns."""
    cells = f"column_values(ids: $cols) {{ id {TEXT.fragment} }} " if column_ids else ""
    row = f"fragment Row on Item {{ id updated_at name state created_at creator_id {cells}}}"
    return _queries(board, board_id, column_ids, row)


def _queries(board: str, board_id: int, column_ids: tuple[str, ...], row: str) -> BoardQueries:
    cols = ", $cols: [String!]" if column_ids else ""
    return BoardQueries(
        board,
        board_id,
        column_ids,
        Document(
            "FirstPage",
            f"query FirstPage($board: [ID!]!, $limit: Int!, $params: ItemsQuery{cols}) "
            "{ boards(ids: $board, limit: 1) { id items_page(limit: $limit, query_params: $params) "
            f"{{ cursor items {{ ...Row }} }} }} {_PRICE} }} {row}",
            BoardsAnswer,
        ),
        Document(
            "NextPage",
            f"query NextPage($cursor: String!, $limit: Int!{cols}) "
            f"{{ next_items_page(cursor: $cursor, limit: $limit) {{ cursor items {{ ...Row }} }} {_PRICE} }} {row}",
            NextPageAnswer,
        ),
        tuple(_by_id(count, row, cols) for count in range(1, MOST_ROOTS + 1)),
    )


def row_fragment(name: str, columns: ColumnMap, *, kept: bool = False) -> str:
    """The fields of one item: each codec's fragment once, in the order of the board; with `kept` also what a write
    puts back.

    Id and time of change stand first, where `raw_item` finds them without parsing. A cell's type is not asked for: only
    the fragment of its own type answers.
    """
    codecs = [column.codec for column in columns.values()]
    asked = [codec.fragment for codec in codecs] + [codec.kept for codec in codecs if kept]
    cells = " ".join(("id", *dict.fromkeys(fragment for fragment in asked if fragment)))
    return f"fragment {name} on Item {{ id updated_at name state column_values(ids: $cols) {{ {cells} }} }}"


def _by_id(count: int, row: str, cols: str) -> Document[Aliases]:
    declared = ", ".join(f"$ids{n}: [ID!]!" for n in range(count))
    roots = " ".join(f"i{n}: items(ids: $ids{n}, limit: {IDS_PER_ROOT}) {{ ...Row {_PLACE} }}" for n in range(count))
    return Document("ItemsById", f"query ItemsById({declared}{cols}) {{ {roots} {_PRICE} }} {row}", Aliases)


def look(columns: Sequence[ColumnMap], roots: Sequence[int], *, boards: bool, rules: bool = False) -> Document[Aliases]:
    """Items by id as `i0`, `i1`…, each root of the board whose place in `columns` it names, with what a write keeps.

    With `boards` also the version that answers, the user, columns, labels and groups of all boards, and what the marker
    column says of itself; with `rules` what each board asks of its items, as `v0`, `v1`… of the boards in `$board0`….
    """
    of_boards = (
        "version { value } me { id name account { id name } } boards(ids: $boards, state: all, limit: 10) "
        f"{{ {_BOARD} {_COLUMNS} choices: columns(types: [status]) {{ id settings }} "
        f"marked: columns(ids: $marker) {{ id description }} {_GROUPS} }} "
    )
    used = sorted(set(roots))
    declared = ["$boards: [ID!]!, $marker: [String]"] if boards else []
    asked = range(len(columns)) if rules else ()
    declared += [f"$board{n}: ID!" for n in asked]
    declared += [f"$cols{n}: [String!]" for n in used] + [f"$ids{i}: [ID!]!" for i in range(len(roots))]
    items = [f"i{i}: items(ids: $ids{i}, limit: {IDS_PER_ROOT}) {{ ...Row{n} {_PLACE} }} " for i, n in enumerate(roots)]
    rows = [row_fragment(f"Row{n}", columns[n], kept=True).replace("$cols", f"$cols{n}") for n in used]
    of_rules = [f"v{n}: validations(id: $board{n}, type: board) {{ required_column_ids rules }} " for n in asked]
    fields = (of_boards if boards else "") + "".join([*of_rules, *items])
    return Document("Look", f"query Look({', '.join(declared)}) {{ {fields}{_PRICE} }} {' '.join(rows)}", Aliases)


def preflight(boards: int, *, counts: bool) -> Document[Aliases]:
    """Account, columns and groups of all boards; with `counts` also how many items each group holds."""
    declared = "".join(f", $board{n}: ID!" for n in range(boards)) if counts else ""
    roots = " ".join(f"g{n}: {_group_counts(n)}" for n in range(boards)) if counts else ""
    return Document(
        "Preflight",
        f"query Preflight($boards: [ID!]!{declared}) {{ {_ME} "
        "boards(ids: $boards, state: all, limit: 10) "
        f"{{ {_BOARD} {_COLUMNS} {_GROUPS} }} {roots} {_PRICE} }}",
        Aliases,
    )


def _group_counts(n: int) -> str:
    return (
        f"aggregate(query: {{ from: {{ type: TABLE, id: $board{n} }} "
        'group_by: [{ column_id: "group", limit: 1000 }] '
        'select: [{ type: COLUMN, column: { column_id: "group" }, as: "group" }, '
        '{ type: FUNCTION, function: { function: COUNT_ITEMS }, as: "items" }] }) '
        "{ results { entries { alias value { "
        "... on AggregateBasicAggregationResult { result } "
        "... on AggregateGroupByResult { value } } } } }"
    )


RECHECK: Document[BoardsAnswer] = Document(
    "Recheck",
    f"query Recheck($boards: [ID!]!) {{ boards(ids: $boards, state: all, limit: 10) "
    f"{{ {_BOARD} {_COLUMNS} }} {_PRICE} }}",
    BoardsAnswer,
)

DAILY_LIMIT: Document[Aliases] = Document(
    "DailyLimit", "query DailyLimit { platform_api { daily_limit { total } } }", Aliases
)


def changed(boards: Mapping[str, ColumnMap], with_extra: Sequence[bool]) -> Document[Aliases]:
    """One request for all boards: account, counts, columns and what changed, each board under its alias `b0`, `b1`…

    Where `with_extra` says so, the items of `$extra0`… (100 at most) come along as `x0`….
    """
    declared, roots, rows = ["$limit: Int!"], [], []
    for n, columns in enumerate(boards.values()):
        declared.append(f"$board{n}: [ID!]!, $cols{n}: [String!], $params{n}: ItemsQuery")
        roots.append(
            f"b{n}: boards(ids: $board{n}, state: all, limit: 1) {{ {_BOARD} {_COLUMNS} "
            f"items_page(limit: $limit, query_params: $params{n}) {{ cursor items {{ ...Row{n} }} }} }}"
        )
        if with_extra[n]:
            declared.append(f"$extra{n}: [ID!]!")
            roots.append(f"x{n}: items(ids: $extra{n}, limit: {IDS_PER_ROOT}) {{ ...Row{n} {_PLACE} }}")
        rows.append(row_fragment(f"Row{n}", columns).replace("$cols", f"$cols{n}"))
    return Document(
        "Changed",
        f"query Changed({', '.join(declared)}) {{ {_ME} {' '.join(roots)} {_PRICE} }} " + " ".join(rows),
        Aliases,
    )


def by_values(roots: int) -> Document[Aliases]:
    """Items with one of these texts in a text column, as `created_queries` asks for them: `v0`, `v1`… one root each."""
    declared = "".join(f", $columns{n}: [ItemsPageByColumnValuesQuery!]" for n in range(roots))
    asked = " ".join(
        f"v{n}: items_page_by_column_values(board_id: $board, limit: $limit, columns: $columns{n}) "
        "{ cursor items { ...Row } }"
        for n in range(roots)
    )
    return Document(
        "ByValues",
        f"query ByValues($board: ID!, $limit: Int!, $cols: [String!]{declared}) {{ {asked} {_PRICE} }} "
        "fragment Row on Item { id updated_at name state created_at creator_id "
        f"column_values(ids: $cols) {{ id {TEXT.fragment} }} }}",
        Aliases,
    )


ACTIVITY: Document[BoardsAnswer] = Document(
    "Activity",
    "query Activity($board: [ID!]!, $items: [ID!], $users: [ID!], $from: ISO8601DateTime, $limit: Int, $page: Int) "
    "{ boards(ids: $board, state: all, limit: 1) "
    "{ id activity_logs(item_ids: $items, user_ids: $users, from: $from, limit: $limit, page: $page) "
    f"{{ event created_at user_id data }} }} {_PRICE} }}",
    BoardsAnswer,
)


ACTIVITY_BY_CURSOR: Document[BoardsAnswer] = Document(
    "Activity",
    "query Activity($board: [ID!]!, $items: [ID!], $users: [ID!], $from: String, $limit: Int, $cursor: String) "
    "{ boards(ids: $board, state: all, limit: 1) "
    "{ id activity_logs(item_ids: $items, user_ids: $users, from: $from, limit: $limit, cursor: $cursor) "
    f"{{ cursor logs {{ event created_at user_id data }} }} }} {_PRICE} }}",
    BoardsAnswer,
)
"""From version 2027-01 on."""


def any_of(column_id: str, values: Sequence[str]) -> dict[str, Any]:
    """Items with one of these texts in a column; those created last come first."""
    return {"rules": [{"column_id": column_id, "compare_value": list(values), "operator": "any_of"}], **newest_first()}


def newest_first() -> dict[str, Any]:
    """All items, those created last first."""
    return {"order_by": [{"column_id": "__creation_log__", "direction": "desc"}]}


def oldest_first(groups: Sequence[str] = ()) -> dict[str, Any]:
    """All items, or those of some groups, in an order that does not change while they are read."""
    order = [{"column_id": "__creation_log__", "direction": "asc"}]
    if not groups:
        return {"order_by": order}
    return {"rules": [{"column_id": "group", "compare_value": list(groups), "operator": "any_of"}], "order_by": order}


def changed_since(day: date) -> dict[str, Any]:
    """Items changed on that day or later, the latest first. The filter knows days only, in the zone of the token's
    user (seen by several clients), so the caller goes back wide enough and compares the instants itself.
    """
    return {
        "rules": [
            {
                "column_id": "__last_updated__",
                "compare_value": ["EXACT", day.isoformat()],
                "operator": "greater_than_or_equals",
                "compare_attribute": "UPDATED_AT",
            }
        ],
        "order_by": [{"column_id": "__last_updated__", "direction": "desc"}],
    }
