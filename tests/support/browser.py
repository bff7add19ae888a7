"""A real Chromium without a window, driven over a pipe by its own protocol: no port, no driver, no package.

https://chromedevtools.github.io/devtools-protocol/ · `--remote-debugging-pipe`: it reads commands from descriptor 3 and
writes answers to 4, each a JSON object that ends with a NUL.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
"""The browser on PATH; None where there is none."""
_PATIENCE_S = 90
_PLACED = """
import fcntl, os, sys
there, back = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(there, 3), os.dup2(back, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Puts the two pipes where Chromium looks for them, and becomes it."""
_OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip


@dataclass(slots=True)
class Page:
    """One page that is open: what it asked for and what its console said, until now."""

    browser: Browser
    session: str
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.call(method, params, self.session)

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Keep what is an answer to the questions above."""
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.said.append(params["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.said.append(json.dumps(params))

    def look(self, width: int, *, dark: bool = False, media: str = "screen") -> None:
        """See it on a screen so wide."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression. The browser runs it, whatever the page forbids to itself."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def printed(self) -> bytes:
        """The page as PDF, on A4."""
        return base64.b64decode(self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])


class Browser:
    """One process; ends with its `with` block."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM is not None
        there, self._write = os.pipe()
        self._read, back = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PLACED, str(there), str(back), CHROMIUM, *_OPTIONS, f"--user-data-dir={folder}"],
            pass_fds=(there, back), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TZ": "UTC"},
        )  # fmt: skip
        os.close(there)
        os.close(back)
        self._number = 0
        self._heard = b""
        self._pages: dict[str, Page] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def open(self, url: str) -> Page:
        """A new page, once everything of it is there."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self._pages[session] = Page(self, session)
        for part in ("Page", "Network", "Log", "Runtime"):
            page.call(f"{part}.enable")
        page.call("Page.navigate", url=url)
        until = time.monotonic() + _PATIENCE_S
        while page.evaluate("document.readyState + ' ' + location.protocol") != f"complete {url.partition('/')[0]}":
            assert time.monotonic() < until, "the page does not end to load"
            time.sleep(0.05)
        return page

    def call(self, method: str, params: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """One command and its answer; what the browser tells meanwhile goes to its page."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params}
        told = json.dumps(command | ({"sessionId": session} if session else {}))
        os.write(self._write, told.encode() + b"\0")
        for message in self._messages():
            if message.get("id") == self._number:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result
            page = self._pages.get(message.get("sessionId", ""))
            if page is not None and "method" in message:
                page.hear(message["method"], message["params"])
        raise AssertionError(f"the browser ended, or did not answer {method}")

    def _messages(self) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + _PATIENCE_S
        while True:
            while b"\0" not in self._heard:
                ready, _, _ = select.select([self._read], [], [], max(0.0, until - time.monotonic()))
                read = os.read(self._read, 1 << 20) if ready else b""
                if not read:
                    return
                self._heard += read
            message, _, self._heard = self._heard.partition(b"\0")
            yield json.loads(message)


@contextmanager
def opened(path: Path, folder: Path) -> Iterator[Page]:
    """A file in a browser."""
    with Browser(folder) as browser:
        yield browser.open(path.as_uri())
