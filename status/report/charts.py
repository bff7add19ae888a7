"""Charts as SVG inside the page: pygal draws, the page's own style sheet colours: light, dark or on paper.

What pygal adds for a page of its own goes: scripts, styles, the values for its script's tooltips. Each bar gets a
`title` instead, which a browser shows by itself and a screen reader reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import floor, log10
from typing import Any, Final
from xml.etree import ElementTree as ET  # only writes what was made here

from markupsafe import Markup

from status.report.shown import Chart

_SIZE: Final = {"width": 560, "height": 250}
_NUMBER: Final = re.compile(r"-?[0-9]+\.[0-9]{2,}")
_LABELS: Final = 7
"""Days that are named under a chart at most: so many stand beside each other on a telephone."""
_VIEW: Final = f"0 0 {_SIZE['width']} {_SIZE['height']}"
_IDLE: Final = ("script", "style", "desc", "defs")
_SAYS_NOTHING: Final = {"rect": ("rx", "ry", "class"), "circle": ("class",), "svg": ("id",)}
_FAR: Final = 4
_SERIES: Final = re.compile(r"^series serie-([0-9]+)")


def counted(number: float) -> str:
    """A count under an axis.

    >>> counted(1234), counted(2.5)
    ('1,234', '2.5')
    """
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def stacked(chart: Chart, *, shown: Callable[[float], str] = counted, limit: float | None = None) -> Markup:
    """Bars by day, the series on top of each other; at `limit` a line, where the bars can be seen beside it."""
    import pygal

    most = max((sum(filter(None, day)) for day in chart.by_day), default=0)
    marked = limit if limit and most and limit <= _FAR * most else None
    return _drawn(pygal.StackedBar, chart, shown, max(most, marked or 0), marked)


def lines(chart: Chart, *, shown: Callable[[float], str]) -> Markup:
    """Lines by day, with a gap where there is no value."""
    import pygal

    most = max((max(filter(None, day), default=0) for day in chart.by_day), default=0)
    return _drawn(pygal.Line, chart, shown, most, allow_interruptions=True, dots_size=2.5)


def _drawn(
    kind: Any, what: Chart, shown: Callable[[float], str], most: float, marked: float | None = None, **options: Any
) -> Markup:
    from pygal.style import Style

    style = Style(font_family="inherit", label_font_size=13, major_label_font_size=13, no_data_font_size=15)
    highest, days = _round(most), what.days
    chart = kind(
        **_SIZE,
        **options,
        style=style,
        css=[],
        js=[],
        explicit_size=False,
        disable_xml_declaration=True,
        no_prefix=True,
        show_legend=False,
        margin=4,
        margin_bottom=0,
        margin_right=8,
        spacing=6,
        range=(0, highest),
        y_labels=_steps(highest, marked),
        y_labels_major=[] if marked is None else [marked],
        x_labels=list(days),
        x_labels_major=_named(days),
        show_minor_x_labels=False,
        truncate_label=-1,
        value_formatter=shown,
        no_data_text="nothing in this time",
    )
    for each in what.series:
        chart.add(
            each.name, [_point(day, each.name, value, shown) for day, value in zip(days, each.values, strict=True)]
        )
    chart.add_xml_filter(lambda root: _plain(root, what))
    return Markup(_NUMBER.sub(_rounded, chart.render(is_unicode=True)))  # noqa: S704  pygal escapes what it writes


def _point(day: str, name: str, value: float | None, shown: Callable[[float], str]) -> dict[str, Any] | None:
    return {"value": value, "tooltip": f"{day}: {shown(value)} {name}"} if value else None


def _round(most: float) -> float:
    """The end of the scale: a round number that is nearly reached.

    >>> _round(0), _round(7), _round(43), _round(0.31), _round(1250)
    (1.0, 8.0, 50.0, 0.4, 1500.0)
    """
    if most <= 0:
        return 1.0
    step = 10.0 ** floor(log10(most))
    return next(round(step * part, 6) for part in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * part >= most * 0.9999)


def _steps(highest: float, marked: float | None) -> list[float]:
    """What is written beside the scale: its ends and its middle, but for what would stand upon the mark."""
    steps = [0.0, highest / 2, highest] if highest != 1 else [0.0, 1.0]
    if marked is None:
        return steps
    return sorted([marked, *(step for step in steps if abs(step - marked) > highest / 8)])


def _named(days: Sequence[str]) -> list[str]:
    """Every so manieth day, the last one among them."""
    pace = -(-len(days) // _LABELS)
    return [day for number, day in enumerate(reversed(days)) if number % pace == 0]


def _plain(root: ET.Element, what: Chart) -> ET.Element:
    """The drawing without what only pygal's own page needs; each series carries its hue as its class."""
    for parent in list(root.iter()):
        for child in list(parent):
            if _is_idle(child) or (child.tag == "title" and parent.get("class") in (None, "guides")):
                parent.remove(child)
    for group in list(root.iter("g")):
        number = _SERIES.search(group.get("class", ""))
        if number is not None:
            group.set("class", f"series {what.series[int(number[1])].hue}")
    for shape in root.iter():
        for name in [name for name in shape.attrib if name in _SAYS_NOTHING.get(shape.tag, ())]:
            del shape.attrib[name]
    root.attrib.clear()
    root.attrib |= {"class": "chart", "role": "img", "aria-label": what.title, "viewBox": _VIEW}
    return root


def _is_idle(node: ET.Element) -> bool:
    kind = node.get("class", "") if isinstance(node.tag, str) else ""
    return not isinstance(node.tag, str) or node.tag in _IDLE or kind == "background" or "overlay" in kind


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.1f}".removesuffix(".0")
