"""The page of a run as a reader sees it: in headless Chromium, in every size and both colours, and by axe-core."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from floe_ci.ends import End
from floe_ci.folder import RunFolder
from floe_ci.junit import Case, Result, Suite, write
from floe_ci.listeners import Step
from floe_ci.report import FILE
from floe_ci.results import finish
from floe_ci.steps import Timings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
CHROMIUM = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on PATH; Debian's package is `chromium`"),
]
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 360, "height": 740}}
FAILED = (Result("failed", "assert 1 == 2", "def test():\nE   assert 1 == 2\n\nt/a.py:7: AssertionError"),)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a browser; as root it can't shut itself in."""
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def page_of(folder: Path, tests: int) -> Path:
    """Return the page of a run of so many tests, with something in each of its parts."""
    taken = RunFolder.take(folder / "results", run_id="abc", tier="unit", place="local")
    cases = [
        Case(
            f"tests.orders.test_orders_{number // 20}.TestOrders",
            f"test_total_with_a_rather_long_name_and_a_parameter[{number}-customer]",
            0.1,
            FAILED if number % 25 == 0 else (),
            2 if number % 30 == 1 else 1,
            (("requirement", f"REQ-{number % 5}"),),
            (("system-out", "printed " * 60),),
        )
        for number in range(tests)
    ]
    taken.write("junit.xml", "".join(write([Suite("unit", cases)])))
    taken.log("postgres.log").line("checkpoint " * 60)
    timings = Timings()
    for step in (Step("services", 0, 0.001), Step("tests", 0.001, 30)):
        timings.record(step)
    finish(taken, "unit", "abc", End(exit_code=1, notes=("postgres: PostgreSQL's own server",)), timings, None)
    return taken.path / FILE


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a run of 100 tests."""
    return page_of(tmp_path_factory.mktemp("run"), 100)


@pytest.fixture
def show(browser: Browser, page_file: Path) -> Iterator[Callable[..., Page]]:
    """Return what opens the page, and look afterwards that the browser had nothing to complain of."""
    said: list[str] = []
    contexts = []

    def opened(file: Path = page_file, **options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_every_reader(show: Callable[..., Page], tmp_path: Path, size: str, colours: str) -> None:
    """In both colours and any width nothing is cut off, axe-core finds nothing, and there is a picture to look at."""
    page = show(viewport=SIZES[size], color_scheme=colours)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)"
    assert dark == (colours == "dark")
    found = axe.Axe().run(page).response
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20
    picture = tmp_path / f"{size}-{colours}.png"
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 20_000


def test_without_script(show: Callable[..., Page]) -> None:
    """Without JavaScript everything can be read, and there is no field that does nothing."""
    page = show(java_script_enabled=False)
    assert page.locator("h1").inner_text().startswith("Failed: tier unit")
    assert page.locator("details.failure pre").first.is_visible()
    assert page.locator("input").count() == 0
    assert page.locator("details.group").count() == 5


def test_keyboard(show: Callable[..., Page]) -> None:
    """The first key leads past the links at the top, and a closed part is opened by a key."""
    page = show()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")
    closed = page.locator("details.group").first
    closed.locator("summary").focus()
    page.keyboard.press("Enter")
    assert closed.get_attribute("open") is not None


def test_search(show: Callable[..., Page]) -> None:
    """Tests are found by a part of their name, with the script; what is found is told to a screen reader."""
    page = show()
    page.get_by_label("Show tests whose").fill("[25-CUSTOMER")
    assert page.get_by_role("status").inner_text() == "1 found"
    assert page.locator("details.group tbody tr:visible").count() == 1
    page.get_by_label("Show tests whose").fill("")
    assert page.locator("details.group:visible").count() == 5


@pytest.mark.parametrize(("tests", "seconds"), [(5_000, 1), (20_000, 4)])
def test_thousands_of_tests(show: Callable[..., Page], tmp_path: Path, tests: int, seconds: float) -> None:
    """The page of thousands of tests is there at once, and answers as soon when a test is looked for in it."""
    page = show(page_of(tmp_path, tests))
    shown = page.evaluate("performance.getEntriesByType('navigation')[0].domComplete") / 1000
    page.get_by_label("Show tests whose").fill(f"[{tests - 1}-customer")
    began = page.evaluate("performance.now()")
    page.get_by_role("status").get_by_text("1 found").wait_for()
    found = (page.evaluate("performance.now()") - began) / 1000
    # Three times the bar, for a machine that is slow.
    assert max(shown, found) <= 3 * seconds
