"""The main job in a real browser: a bot is created, trades, is stopped; its trades are taken away.

Engine and panel are the real ones; the market is the simulated one of the product.
"""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

from engine.domain.csv_export import COLUMNS
from tests.support.books import check_books, rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.visits import begin_with, visit

TRADE_WAIT_S = 180
STOP_TRIES = 8
ADDRESSES = (
    "", "create", "bot", "trades", "inbox", "tradingview", "performance", "accounts", "reconcile",
    "risk", "candles", "backtest", "strategies", "rules", "alerts", "logs",
    "settings",
)  # fmt: skip


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Copy]:
    """Engine and panel over an empty data folder."""
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        copy.start_engine()
        copy.start_panel()
        yield copy


def create_by_form(page: Page, deck: Copy, name: str) -> None:
    """Fill in the form and press "Create and start"."""
    visit(page, deck, "create")
    begin_with(page, "1 s demo", "1s")
    page.get_by_label("Name", exact=True).fill(name)
    amount = page.get_by_label("Trade amount")
    amount.fill("250")
    amount.press("Enter")
    expect(page.get_by_text("Loss at the stop")).to_be_visible()
    page.get_by_role("button", name="Create and start").click()
    page.wait_for_url("**/bot?bot=*")
    expect(page.get_by_role("heading", level=2).first).to_contain_text(name)


def stop_and_close(page: Page) -> None:
    """Stop from the bot's page, closing what is open.

    Every few seconds the bot opens or closes a position, and the button that asks about it comes
    and goes: like a person, try again when what was aimed at is gone.
    """
    stop = page.get_by_role("button", name="Stop", exact=False).first
    close = page.get_by_role("button", name="Close it and stop")
    stopped = page.locator(".qd-state", has_text="stopped").first
    for _ in range(STOP_TRIES):
        with suppress(Error):
            (close if close.is_visible() else stop).click(timeout=2_000)
        with suppress(AssertionError):
            expect(close.or_(stopped).first).to_be_visible(timeout=3_000)
        if stopped.is_visible():
            break
    expect(stopped).to_be_visible(timeout=60_000)


def download_trades(page: Page, deck: Copy) -> list[dict[str, str]]:
    """The CSV of the Trades page."""
    visit(page, deck, "trades")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    text = download.value.path().read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_from_an_empty_panel_to_a_trade_in_a_csv(page: Page, deck: Copy) -> None:
    visit(page, deck, "")
    client = Client(deck)
    create_by_form(page, deck, "first bot")
    expect(page.locator(".qd-state", has_text="running").first).to_be_visible(timeout=60_000)
    expect(page.locator(".qd-chart[data-newest]")).to_be_visible()
    eventually(
        lambda: client.bot("first bot")["trade_count"], lambda n: n > 0, timeout_s=TRADE_WAIT_S
    )
    stop_and_close(page)

    page.get_by_role("button", name="Start").click()
    expect(page.locator(".qd-state", has_text="running").first).to_be_visible(timeout=60_000)
    stop_and_close(page)

    bot = client.wait_for_state("first bot", "stopped")
    check_books(deck.place.data, bot)
    stored = rows(deck.place.data, "SELECT * FROM trades ORDER BY exit_time DESC, id DESC")
    found = download_trades(page, deck)
    assert found, "the trade that was seen is in the file"
    assert list(found[0]) == list(COLUMNS)
    assert sorted(row["id"] for row in found) == sorted(row["id"] for row in stored)
    by_id = {row["id"]: row for row in stored}
    for row in found:
        for column, value in row.items():
            kept = str(by_id[row["id"]][column])
            if column.endswith("_time"):
                assert datetime.fromisoformat(value) == datetime.fromisoformat(kept)
            else:
                assert value == kept, column


def test_with_the_engine_off_the_panel_says_so_and_starts_it(page: Page, tmp_path: Path) -> None:
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        copy.start_panel()
        visit(page, copy, "")
        expect(page.get_by_text("The engine is off").first).to_be_visible()
        page.get_by_role("button", name="Start the engine").click()
        try:
            expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=40_000)
            assert Client(copy).get("/bots") == []
        finally:
            Client(copy).post("/shutdown")


def test_no_page_scrolls_sideways_on_a_phone(page: Page, deck: Copy) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for address in ADDRESSES:
        visit(page, deck, address)
        expect(page.get_by_role("button", name="Kill switch")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
        expect(page.locator("[data-testid=stException]")).to_have_count(0)
