"""Writes the generated tables of `monday_to_database_mapping.md` from the mapping, and says when they are stale.

`python -m cli.mapping_doc` rewrites what stands between `<!-- generated: NAME -->` and `<!-- end -->`; the prose around
is by hand. `--check` writes nothing and exits 1 when the document would change.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from monday_api import BOARDS, STAGE_STATUS
from reconcile.boards import BOARD_SPECS
from reconcile.errors import ConfigError, SyncError
from reconcile.layout import Layout, Slot, compile_layout
from reconcile.tables import SPECS, TABLES

DOCUMENT: Final = Path(__file__).resolve().parent.parent / "monday_to_database_mapping.md"

_SECTION: Final = re.compile(r"(?P<start><!-- generated: (?P<name>[a-z]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def render(text: str) -> str:
    """The document with fresh tables. Raises ConfigError when a part is absent, unknown or there twice."""
    named = [found["name"] for found in _SECTION.finditer(text)]
    if sorted(named) != sorted(SECTIONS):
        raise ConfigError(
            f"The mapping document has the generated parts {', '.join(named) or 'none'}: it needs each of "
            f"{', '.join(SECTIONS)} once, between <!-- generated: NAME --> and <!-- end -->."
        )
    return _SECTION.sub(lambda found: f"{found['start']}{SECTIONS[found['name']]()}{found['end']}", text)


def _board(name: str) -> str:
    """One line a column: where it goes, of whom it speaks, which way it travels, who wins a conflict."""
    layout = _layouts()[name]
    head = ("column id", "title", "type", "goes to", "person", "direction", "conflict")
    rows = []
    for column_id, column in BOARDS[name].items():
        targets = ", ".join(_code(target) for target in _targets(layout, column_id))
        wins = "a person decides" if column.policy == "manual" else f"{column.policy} wins"
        what = (column.title, column.codec.monday_type, targets or "nothing", column.role or "")
        rows.append((_code(column_id), *what, column.direction, wins if targets else ""))
    return _table(head, rows)


def _targets(layout: Layout, column_id: str) -> Iterator[str]:
    """`table.column` for the first column of a field, the bare name for those that stand beside it."""
    for field in layout.fields:
        if column_id in field.cells:
            first, *others = field.columns
            yield from (f"{layout.slots[field.slot].table}.{first}", *others)


def _slots() -> str:
    """One line a slot: whose table, how its row is found again, and which foreign key leads to it."""
    rows = []
    for name, layout in _layouts().items():
        record = layout.slots[layout.record]
        for slot in layout.slots:
            link = _code(f"{record.table}.{slot.link}") if slot.link else "the item's own row"
            rows.append((name, slot.person or slot.role.replace("_", " "), _code(slot.table), link))
    return _table(("board", "slot", "table", "foreign key"), rows)


def _tables() -> str:
    """One line a table: its key, whether an item renames its rows, and which columns no cell fills."""
    slots = [(layout, slot) for layout in _layouts().values() for slot in layout.slots]
    rows = []
    for table, model in TABLES.items():
        filled = {column for layout, slot in slots if slot.table == table for column in _columns(layout, slot)}
        derived = [column for column in model.__struct_fields__ if column not in filled]
        way = "edits its row" if SPECS[table].owned else "chooses a row"
        rows.append((_code(table), _key(table), way, ", ".join(map(_code, derived))))
    return _table(("table", "found again by", "an item", "not from a cell of its own"), rows)


def _columns(layout: Layout, slot: Slot) -> Iterator[str]:
    for number in slot.fields:
        yield from layout.fields[number].columns


def _key(table: str) -> str:
    rule = SPECS[table].key
    if rule is None:
        return "the item"
    text = ", else ".join(map(_code, rule.columns))
    return f"{_code(rule.parent[1])} with {text}" if rule.parent else text


def _statuses() -> str:
    stages: dict[str, list[str]] = {}
    for stage, status in STAGE_STATUS.items():
        stages.setdefault(status, []).append(stage)
    return _table(("status", "stages"), [(_code(status), ", ".join(named)) for status, named in stages.items()])


SECTIONS: Final[Mapping[str, Callable[[], str]]] = {
    "tables": _tables,
    "slots": _slots,
    "boards": lambda: "\n".join(f"## {spec.title}\n\n{_board(name)}" for name, spec in BOARD_SPECS.items()),
    "status": _statuses,
}
"""Name of a generated part → what it says."""


def _layouts() -> dict[str, Layout]:
    return {name: compile_layout(name, number, columns) for number, (name, columns) in enumerate(BOARDS.items(), 1)}


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head)]
    lines += [tuple("---" for _ in lines[0])]
    lines += [tuple(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the document is stale.")
@click.argument("document", default=DOCUMENT, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(check: bool, document: Path) -> None:
    """Write the generated tables of monday_to_database_mapping.md, or of another DOCUMENT with the same markers."""
    before = document.read_text(encoding="utf-8")
    try:
        after = render(before)
    except SyncError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    if after == before:
        click.echo(f"{document.name} is up to date.")
    elif check:
        click.echo(f"{document.name} is stale: run `make docs`.", err=True)
        sys.exit(1)
    else:
        document.write_text(after, encoding="utf-8")
        click.echo(f"{document.name} written.")


if __name__ == "__main__":
    from terminal.streams import make_streams_safe

    make_streams_safe()
    main()
