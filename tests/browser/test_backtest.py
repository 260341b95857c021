"""A backtest in a real browser: set up, followed, read, and run as a paper bot."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck

DONE_MS = 90_000  # the first backtest on a machine compiles its loop


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Copy]:
    """Engine and panel over an empty data folder."""
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        copy.start_engine()
        copy.start_panel()
        yield copy


def test_from_the_form_to_a_report_to_a_paper_bot(page: Page, deck: Copy) -> None:
    page.goto(f"http://127.0.0.1:{deck.place.panel_port}/backtest")
    expect(page.get_by_text("What it uses")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("seen when they are read")).to_be_visible()
    name = page.get_by_label("Name", exact=True)
    name.fill("in a browser")
    name.press("Enter")
    page.get_by_role("button", name="Start the backtest").click()
    page.wait_for_url("**/backtest?run=*")
    expect(page.get_by_text("Total return")).to_be_visible(timeout=DONE_MS)
    expect(page.get_by_text("Under its highest so far")).to_be_visible()

    page.get_by_role("tab", name="Trades").first.click()
    expect(page.get_by_text("Trades that match")).to_be_visible()
    page.get_by_role("tab", name="Chart", exact=True).click()
    expect(page.locator(".qd-chart[data-newest]")).to_be_visible()
    page.get_by_role("button", name="First", exact=True).click()
    expect(page.get_by_role("button", name="Kill switch")).to_be_visible()

    client = Client(deck)
    [run] = client.get("/backtests")["items"]
    assert (run["name"], run["state"]) == ("in a browser", "done")
    page.get_by_role("button", name="Run as a paper bot").click()
    expect(page.get_by_text("paper money", exact=True)).to_be_visible()
    page.get_by_role("dialog").get_by_label("Name").fill("of a backtest")
    page.get_by_role("button", name="Create and start").click()
    page.wait_for_url("**/bot?bot=*")
    expect(page.get_by_role("heading", level=2).first).to_contain_text("of a backtest")
    bot = eventually(lambda: client.bot("of a backtest"), lambda found: found["state"] == "running")
    assert bot["config"]["params"] == run["request"]["params"]
    assert (bot["mode"], bot["config"]["timeframe"]) == ("paper", run["request"]["timeframe"])
    assert page.locator("[data-testid=stException]").count() == 0
