"""The report in a real browser: it asks for nothing, complains of nothing, and fits a screen, a telephone and paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import MASTER_BOARD_ID
from tests.support.browser import CHROMIUM, Page, opened
from tests.support.company import Company, small_world
from tests.support.month import fill_tables, make_past
from tests.support.servers import Keywords

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium or chrome on PATH")

ATTACK = "<img src=https://evil.example/x onerror=alert(1)><script>document.title='taken'</script>"
CONTRAST = """
(() => {
  const lit = (text) => {
    const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const under = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const ground = getComputedStyle(at).backgroundColor;
      if (!/^rgba\\(.*, 0\\)$/.test(ground)) return ground;
    }
    return 'rgb(255, 255, 255)';
  };
  const bad = [];
  const texts = 'p, dt, dd, li, h1, h2, h3, small, time, code, a, span, th, td, summary';
  for (const node of document.querySelectorAll(texts)) {
    if (!node.innerText || !node.getClientRects().length) continue;
    const [one, other] = [lit(getComputedStyle(node).color), lit(under(node))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) bad.push(node.className + ' ' + node.innerText.slice(0, 40));
  }
  return [...new Set(bad)];
})()
"""
"""Texts of which the contrast is less than WCAG 2.2 AA asks for (1.4.3)."""
WIDER = """
[...document.querySelectorAll('body *')].filter((node) => !node.closest('svg')
  && node.getBoundingClientRect().right > innerWidth + 0.5).map((node) => node.tagName + '.' + node.className)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the report of a month is, once it was made."""
    return tmp_path_factory.mktemp("report") / "report.html"


@pytest.fixture
def page(path: Path, keywords: Keywords, tmp_path: Path) -> Iterator[Page]:
    """The report of a month of a company whose names and values are hostile."""
    if not path.exists():
        with small_world() as sandbox:
            company = Company(sandbox, keywords, tmp_path)
            fill_tables(company, 300)
            make_past(company, days=30, changes=2_000)
            company.sql("UPDATE projects SET item_name = item_name || %s", ATTACK)
            company.sql("UPDATE monday_sync.sync_conflict SET monday = %s, postgres = %s", "W" * 5_000, ATTACK)
            company.sql("UPDATE monday_sync.sync_board SET title = %s, account_slug = 'roofing'", ATTACK)
            ended = company.window("report", "-o", str(path))
            assert ended.code == 0, ended.err
    with opened(path, tmp_path / "browser") as page:
        yield page


def test_it_is_quiet_asks_for_nothing_and_fits(page: Page, path: Path) -> None:
    for width in (1280, 390, 320):
        for dark in (False, True):
            page.look(width, dark=dark)
            assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
            assert page.evaluate(WIDER) == []
            assert page.evaluate(CONTRAST) == []
            shown = page.evaluate("[...document.querySelectorAll('svg.tables')].map((s) => s.getClientRects().length)")
            assert shown == ([1, 0] if width > 640 else [0, 1])
    assert [_ground(page, dark=dark) for dark in (False, True)] == ["rgb(246, 246, 243)", "rgb(18, 21, 24)"]
    assert page.asked == [path.as_uri()]
    assert page.said == []
    assert page.evaluate("[document.scripts.length, document.images.length]") == [0, 0]
    assert page.evaluate("document.title").startswith("monday ↔ PostgreSQL")


def _ground(page: Page, *, dark: bool) -> str:
    page.look(390, dark=dark)
    ground: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return ground


def test_everything_can_be_read(page: Page) -> None:
    page.look(390)
    text = page.evaluate("document.body.innerText")
    for said in (
        "The sync works, and 13 things wait for a person", "How they ended, by day", "On PostgreSQL, by day",
        "Calls of monday's API", "Where the time goes", "values that monday refused", "agreed before",
        "estimated_value", "Job Progress Contact Full Name", ATTACK[:60],
    ):  # fmt: skip
        assert said in text
    assert page.evaluate("document.querySelectorAll('svg.chart .series').length") >= 12
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('svg text')].filter((t) => t.getClientRects().length)"
        ".map((t) => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))"
    )
    assert smallest > 9.5  # CSS pixels on the telephone
    link = page.evaluate("document.querySelector('#conflicts .item a').href")
    assert link.startswith(f"https://roofing.monday.com/boards/{MASTER_BOARD_ID}/pulses/")


def test_it_prints(page: Page) -> None:
    printed = page.printed()
    assert printed.startswith(b"%PDF-")
    pages = printed.count(b"/Type /Page\n") or printed.count(b"/Type /Page ")
    assert 3 <= pages <= 25
