"""Every document that reads, built once from the mapping: constant text, all values in variables.

Only mapped columns are asked for, and of each only the fields its codec reads, since monday prices every field of
every item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from monday.wire import Aliases, BoardsAnswer, Document, NextPageAnswer
from reconcile.columns import ColumnMap

LARGEST_PAGE = 500
IDS_PER_ROOT = 100  # `items(ids:)` takes 100 ids at most, and its limit defaults to 25 (monday docs)
MOST_ROOTS = LARGEST_PAGE // IDS_PER_ROOT

_PRICE = "complexity { query after reset_in_x_seconds }"
_COLUMNS = "columns { id title type archived revision }"


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
        return {"board": [str(self.board_id)], "limit": limit, "params": params, "cols": self.column_ids}

    def next_variables(self, limit: int, cursor: str) -> dict[str, Any]:
        return {"cursor": cursor, "limit": limit, "cols": self.column_ids}

    def by_id_request(self, ids: Sequence[int]) -> tuple[Document[Aliases], dict[str, Any]]:
        """The document and its variables for 1 to 500 ids: one call of the daily budget, whatever their number."""
        parts = [ids[start : start + IDS_PER_ROOT] for start in range(0, len(ids), IDS_PER_ROOT)]
        variables: dict[str, Any] = {f"ids{n}": [str(item_id) for item_id in part] for n, part in enumerate(parts)}
        return self.by_id[len(parts) - 1], {**variables, "cols": self.column_ids}


def board_queries(board: str, board_id: int, columns: ColumnMap) -> BoardQueries:
    row = row_fragment("Row", columns)
    return BoardQueries(
        board,
        board_id,
        tuple(column_id for column_id in columns if column_id != "name"),
        Document(
            "FirstPage",
            "query FirstPage($board: [ID!]!, $limit: Int!, $params: ItemsQuery, $cols: [String!]) "
            "{ boards(ids: $board, limit: 1) { id items_page(limit: $limit, query_params: $params) "
            f"{{ cursor items {{ ...Row }} }} }} {_PRICE} }} {row}",
            BoardsAnswer,
        ),
        Document(
            "NextPage",
            "query NextPage($cursor: String!, $limit: Int!, $cols: [String!]) "
            f"{{ next_items_page(cursor: $cursor, limit: $limit) {{ cursor items {{ ...Row }} }} {_PRICE} }} {row}",
            NextPageAnswer,
        ),
        tuple(_by_id(count, row) for count in range(1, MOST_ROOTS + 1)),
    )


def row_fragment(name: str, columns: ColumnMap) -> str:
    """The fields of one item: each codec's fragment once, in the order of the board.

    Id and time of change stand first, where `raw_item` finds them without parsing. A cell's type is not asked for: only
    the fragment of its own type answers.
    """
    fragments = dict.fromkeys(column.codec.fragment for column in columns.values() if column.codec.fragment)
    cells = " ".join(("id", *fragments))
    return f"fragment {name} on Item {{ id updated_at name state column_values(ids: $cols) {{ {cells} }} }}"


def _by_id(count: int, row: str) -> Document[Aliases]:
    declared = ", ".join(f"$ids{n}: [ID!]!" for n in range(count))
    roots = " ".join(
        f"i{n}: items(ids: $ids{n}, limit: {IDS_PER_ROOT}) {{ ...Row board {{ id }} }}" for n in range(count)
    )
    return Document("ItemsById", f"query ItemsById({declared}, $cols: [String!]) {{ {roots} {_PRICE} }} {row}", Aliases)


def preflight(boards: int, *, counts: bool) -> Document[Aliases]:
    """Account, columns and groups of all boards; with `counts` also how many items each group holds."""
    declared = "".join(f", $board{n}: ID!" for n in range(boards)) if counts else ""
    roots = " ".join(f"g{n}: {_group_counts(n)}" for n in range(boards)) if counts else ""
    return Document(
        "Preflight",
        f"query Preflight($boards: [ID!]!{declared}) {{ me {{ name account {{ id name }} }} "
        "boards(ids: $boards, state: all, limit: 10) "
        f"{{ id name state items_count {_COLUMNS} groups {{ id title archived deleted }} }} {roots} {_PRICE} }}",
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
    f"{{ id name state items_count {_COLUMNS} }} {_PRICE} }}",
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
            f"b{n}: boards(ids: $board{n}, state: all, limit: 1) {{ id name state items_count {_COLUMNS} "
            f"items_page(limit: $limit, query_params: $params{n}) {{ cursor items {{ ...Row{n} }} }} }}"
        )
        if with_extra[n]:
            declared.append(f"$extra{n}: [ID!]!")
            roots.append(f"x{n}: items(ids: $extra{n}, limit: {IDS_PER_ROOT}) {{ ...Row{n} board {{ id }} }}")
        rows.append(row_fragment(f"Row{n}", columns).replace("$cols", f"$cols{n}"))
    return Document(
        "Changed",
        f"query Changed({', '.join(declared)}) {{ me {{ name account {{ id name }} }} {' '.join(roots)} {_PRICE} }} "
        + " ".join(rows),
        Aliases,
    )


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
