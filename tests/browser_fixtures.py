"""A real browser for the pages that ganjax makes: the installed Chromium, headless, driven by Playwright."""

import contextlib
import dataclasses
import shutil
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser():
    """The session's browser (`playwright.sync_api.Browser`); `visit` opens a page in it."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium is installed: on Debian and Ubuntu, apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason='no Playwright: pip install -e ".[test]"')
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@dataclasses.dataclass
class Visit:
    """An open page and what it did.

    Attributes:
        page: `playwright.sync_api.Page`.
        asked: addresses that it requested, its own first, without `data:` addresses.
        complaints: console messages at the levels error and warning, and uncaught exceptions.
    """

    page: Any
    asked: list[str] = dataclasses.field(default_factory=list)
    complaints: list[str] = dataclasses.field(default_factory=list)

    def violations(self):
        """Accessibility errors that axe finds in the page; it must have been opened with `for_axe`."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            for node in one["nodes"]
        ]

    def overflow(self):
        """How many pixels the page is wider than its window."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )


@pytest.fixture
def visit(browser):
    """`visit(url, width=1280, dark=False, for_axe=False)` opens a page in its own context; returns a `Visit`.

    `for_axe` allows axe's script in a page whose policy allows only its own scripts.
    """
    with contextlib.ExitStack() as stack:

        def opened(url, width=1280, dark=False, for_axe=False, **options):
            context = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if dark else "light",
                bypass_csp=for_axe,
                **options,
            )
            stack.callback(context.close)
            seen = Visit(context.new_page())
            seen.page.on("request", lambda request: _note(seen.asked, request.url))
            seen.page.on("console", lambda said: _complain(seen.complaints, said))
            seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
            seen.page.goto(str(url))
            return seen

        yield opened


def _note(asked, url):
    if not url.startswith("data:"):
        asked.append(url)


def _complain(complaints, said):
    if said.type in ("error", "warning"):
        complaints.append(said.text)
