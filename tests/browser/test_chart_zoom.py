"""The live chart in a real browser: the view a person chose survives new candles.

All tests load the same page anew: a browser page of their own would read plotly.js and Streamlit's
scripts for each of them, which takes longer than the test.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.fakes.serve import TEST_TOKEN, serving
from tests.fakes.services import FakeServices
from tests.support.browser import open_page
from tests.support.processes import copy_of_quarterdeck

BOT = "b0001"
CHART = ".qd-chart[data-newest]"
LATER_MS = 20_000
DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
LOADED_SCRIPTS = """() => performance.getEntriesByType("resource").map(entry => entry.name)
    .filter(name => name.endsWith(".js"))"""
DRAWN_BOX = """() => {
    const box = document.querySelector(".qd-plot .main-svg")?.getBoundingClientRect();
    return box && box.width > 0 ? {x: box.x, width: box.width} : null;
}"""


@pytest.fixture(scope="module")
def panel_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real panel over an engine of fakes whose first bot trades candles of one second."""
    data: Path = tmp_path_factory.mktemp("data")
    (data / "api.token").write_text(TEST_TOKEN, "ascii")
    services = FakeServices()
    bot = services.bots[BOT]
    config = bot.config.model_copy(update={"timeframe": "1s", "interval_s": 1})
    services.bots[BOT] = bot.model_copy(update={"config": config})
    with (
        copy_of_quarterdeck(data) as copy,
        serving(services, TEST_TOKEN, copy.place.api_port),
    ):
        copy.start_panel()
        yield f"http://127.0.0.1:{copy.place.panel_port}"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One for all."""
    with open_page(browser) as page:
        yield page


@pytest.fixture
def chart_page(page: Page, panel_url: str) -> Page:
    """The Bot page with its chart drawn, on a desk."""
    page.set_viewport_size(DESK)
    open_chart(page, panel_url)
    return page


def open_chart(page: Page, panel_url: str) -> None:
    """Load the Bot page and wait for its chart."""
    page.goto(f"{panel_url}/bot?bot={BOT}")
    page.locator(CHART).wait_for(timeout=60_000)


def state(page: Page) -> dict[str, str]:
    """What the chart shows: from, to, newest (epoch ms), following, updates."""
    shown: dict[str, str] = page.locator(CHART).evaluate("chart => ({...chart.dataset})")
    return shown


def wait_for_updates(page: Page, count: int) -> None:
    """Until the chart has been drawn ``count`` more times."""
    goal = int(state(page)["updates"]) + count
    page.wait_for_function(
        "([chart, goal]) => +document.querySelector(chart).dataset.updates >= goal",
        arg=[CHART, goal],
        timeout=LATER_MS,
    )


def test_chart_follows_the_newest_candle_until_it_is_moved(chart_page: Page) -> None:
    before = state(chart_page)
    wait_for_updates(chart_page, 2)
    after = state(chart_page)
    assert before["following"] == after["following"] == "true"
    assert int(after["newest"]) > int(before["newest"])
    assert int(after["to"]) > int(before["to"])


def test_zoom_survives_two_updates_that_bring_candles(chart_page: Page) -> None:
    wide = state(chart_page)
    chart_page.get_by_role("button", name="Zoom in").click()
    expect(chart_page.locator(CHART)).to_have_attribute("data-following", "false")
    zoomed = state(chart_page)
    assert int(zoomed["to"]) - int(zoomed["from"]) < int(wide["to"]) - int(wide["from"])
    wait_for_updates(chart_page, 2)
    later = state(chart_page)
    assert (later["from"], later["to"]) == (zoomed["from"], zoomed["to"])
    assert int(later["newest"]) > int(zoomed["newest"])
    chart_page.get_by_role("button", name="Reset").click()
    expect(chart_page.locator(CHART)).to_have_attribute("data-following", "true")
    assert int(state(chart_page)["to"]) > int(later["to"])


def test_dragged_view_is_kept_over_updates(chart_page: Page) -> None:
    before = state(chart_page)
    box = chart_page.locator(".qd-plot").bounding_box()
    assert box is not None
    y = box["y"] + 120
    chart_page.mouse.move(box["x"] + 300, y)
    chart_page.mouse.down()
    chart_page.mouse.move(box["x"] + 600, y, steps=6)
    chart_page.mouse.up()
    expect(chart_page.locator(CHART)).to_have_attribute("data-following", "false")
    dragged = state(chart_page)
    assert int(dragged["to"]) < int(before["to"])
    wait_for_updates(chart_page, 2)
    later = state(chart_page)
    assert (later["from"], later["to"]) == (dragged["from"], dragged["to"])


def test_plotly_is_loaded_once_and_from_this_machine(page: Page, panel_url: str) -> None:
    # Counted by the page itself: it knows of loads from a cache, which cause no request.
    page.add_init_script("performance.setResourceTimingBufferSize(5000)")
    open_chart(page, panel_url)
    wait_for_updates(page, 2)
    loaded: list[str] = page.evaluate(LOADED_SCRIPTS)
    assert len([url for url in loaded if "/app/static/plotly-" in url]) == 1
    assert [url for url in loaded if not url.startswith(panel_url)] == []


def test_chart_fits_a_phone(page: Page, panel_url: str) -> None:
    page.set_viewport_size(PHONE)
    open_chart(page, panel_url)
    # Measured within the page: an update may replace the drawing between two calls.
    box = page.wait_for_function(DRAWN_BOX).json_value()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_opened_decision_stays_open_while_new_ones_come(page: Page, panel_url: str) -> None:
    page.set_viewport_size(DESK)
    page.goto(f"{panel_url}/bot?bot={BOT}&tab=Why%3F")
    rows = page.locator(".qd-decisions details")
    rows.nth(3).wait_for()
    third = rows.nth(3).get_attribute("data-id")
    newest = rows.first.get_attribute("data-id")
    rows.nth(3).locator("summary").click()
    expect(rows.first).not_to_have_attribute("data-id", newest or "", timeout=LATER_MS)
    opened = page.locator(f'.qd-decisions details[data-id="{third}"]')
    expect(opened).to_have_attribute("open", "")
