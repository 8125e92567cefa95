"""A headless Chromium that looks at the status page, and remembers whatever it should not have done."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from fakes.loops import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = Path(__file__).resolve().parents[1] / "node" / "axe" / "node_modules" / "axe-core" / "axe.min.js"

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: npm ci --prefix tests/node/axe")

_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run one for the length of a block."""
    with sync_playwright() as playwright:
        # Without its sandbox, which needs privileges that a container need not have.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """One tab at one gateway.

    :ivar page: the tab.
    :ivar complaints: errors in the console, and exceptions.
    :ivar asked: URLs that it asked for.
    """

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._context = browser.new_context(reduced_motion="reduce", **options)
        self._context.set_default_timeout(PATIENCE * 1000)
        self._context.add_init_script(_WATCH)
        self.page: Page = self._context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        self.asked.append(request.url)

    def open(self, section: str = "overview") -> Page:
        """Look at a section."""
        self.page.goto(f"{self.url}/ui#{section}")
        return self.page

    def counted(self) -> Page:
        """Look at the overview, and wait until every process counts."""
        page = self.open()
        page.get_by_text("Counting since").wait_for()
        return page

    def look(self) -> None:
        """Have the page ask at once, as it does when its tab is seen again."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def check(self, *expected: str) -> None:
        """Fail where it complained of anything but this, spoke to another host or broke the policy."""
        unexpected = [text for text in self.complaints if not any(each in text for each in expected)]
        assert unexpected == []
        assert [url for url in self.asked if not url.startswith(f"{self.url}/")] == []
        assert self.page.evaluate("window.violations") == []

    def is_too_wide(self) -> bool:
        """Whether it has to be scrolled sideways."""
        return bool(
            self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )

    def close(self) -> None:
        """Close the tab."""
        self._context.close()
