"""Trading by hand and reconciling in a real browser, over a real engine on the simulated market."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.strategy_files import write_strategy
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.visits import choose, type_in

ACCOUNT = "paper:simulated"
BOT = "by hand"


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Copy]:
    """Engine and panel, with a strategy that wants to be long and never out again."""
    folder = tmp_path / "strategies"
    folder.mkdir()
    write_strategy(folder, "holder", act="above = candles.close > 0")
    with copy_of_quarterdeck(tmp_path / "data", QUARTERDECK_STRATEGIES=str(folder)) as copy:
        copy.start_engine()
        copy.start_panel()
        yield copy


def open_bot(page: Page, deck: Copy, tab: str) -> None:
    """The bot's page at one of its tabs."""
    page.goto(f"http://127.0.0.1:{deck.place.panel_port}/bot?bot={BOT}&tab={tab}")
    expect(page.get_by_role("heading", level=2).first).to_contain_text(BOT, timeout=60_000)


def orders(deck: Copy, bot: dict[str, Any]) -> list[dict[str, Any]]:
    """The bot's orders as they are stored, oldest first."""
    return rows(deck.place.data, "SELECT * FROM orders WHERE bot_id = ? ORDER BY created_at",
                bot["id"])  # fmt: skip


def tamper(deck: Copy, asset: str, amount: str) -> None:
    """Change what the paper venue holds behind everybody's back, while the engine is off."""
    deck.stop_engine()
    path = deck.place.data / "state.db"
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        [(free,)] = connection.execute(
            "SELECT free FROM paper_balances WHERE account_id = ? AND asset = ?", (ACCOUNT, asset)
        )
        connection.execute(
            "UPDATE paper_balances SET free = ? WHERE account_id = ? AND asset = ?",
            (str(Decimal(free) + Decimal(amount)), ACCOUNT, asset),
        )
    deck.start_engine()


@pytest.fixture
def client(deck: Copy) -> Client:
    """The API, with the bot paused, so that only a person enters, on a reconciled account."""
    client = Client(deck)
    client.create_bot(name=BOT, strategy="holder", params={}, amount="1000")
    client.post(f"/bots/{BOT}/pause")
    client.wait_for_state(BOT, "paused")
    eventually(
        lambda: client.bot(BOT),
        lambda bot: bot["account_objection"] is None and bot["last_price"] is not None,
    )
    return client


def test_an_order_is_placed_replaced_and_taken_back(page: Page, deck: Copy, client: Client) -> None:
    bot = client.bot(BOT)
    low = round(float(bot["last_price"]) * 0.9)
    open_bot(page, deck, "Orders")
    page.get_by_text("New order").click()
    choose(page, "Type", "Limit")
    type_in(page, "Size (USDT)", "250")
    type_in(page, "Limit price (USDT)", str(low))
    expect(page.get_by_text("Buys about")).to_be_visible()
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.get_by_text(f"limit {low:,}.00").first).to_be_visible()
    (placed,) = orders(deck, bot)
    assert (placed["state"], Decimal(placed["price"])) == ("open", low)

    page.get_by_role("button", name="Replace").click()
    field = page.get_by_role("dialog").get_by_label("Limit price")
    field.fill(str(low - 100))
    field.press("Tab")
    page.get_by_role("dialog").get_by_role("button", name="Replace").click()
    expect(page.get_by_text(f"limit {low - 100:,}.00").first).to_be_visible()
    eventually(lambda: [one["state"] for one in orders(deck, bot)],
               lambda states: states == ["cancelled", "open"])  # fmt: skip

    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_text("No order works at the venue now")).to_be_visible()
    assert [one["state"] for one in orders(deck, bot)] == ["cancelled", "cancelled"]
    assert client.bot(BOT)["position"] is None


def test_a_part_of_a_position_is_closed_by_hand(page: Page, deck: Copy, client: Client) -> None:
    open_bot(page, deck, "Orders")
    page.get_by_text("New order").click()
    type_in(page, "Size (USDT)", "500")
    page.get_by_role("button", name="Buy BTC").click()
    bot = eventually(lambda: client.bot(BOT), lambda seen: seen["position"] is not None)
    held = Decimal(bot["position"]["quantity"])

    open_bot(page, deck, "Positions")
    page.get_by_role("button", name="Close a part or all").click()
    page.get_by_role("dialog").get_by_text("50 %", exact=True).click()
    page.get_by_role("button", name="Close 50 % at the market").click()
    left = eventually(
        lambda: Decimal(client.bot(BOT)["position"]["quantity"]), lambda now: now < held
    )
    assert abs(left - held / 2) <= Decimal("0.00001")
    assert client.get("/trades")["count"] == 0


def test_a_mismatch_halts_is_shown_on_both_sides_and_is_adopted(
    page: Page, deck: Copy, client: Client
) -> None:
    tamper(deck, "USDT", "12.5")
    page.goto(f"http://127.0.0.1:{deck.place.panel_port}/reconcile")
    page.get_by_role("button", name="Check now").click()
    expect(page.locator(".qd-state", has_text="does not agree")).to_be_visible()
    expect(page.get_by_text("No entries on this account").first).to_be_visible()
    assert "does not agree" in client.bot(BOT)["account_objection"]
    open_bot(page, deck, "Orders")
    page.get_by_text("New order").click()
    type_in(page, "Size (USDT)", "100")
    page.get_by_role("button", name="Buy BTC").click()
    expect(page.get_by_text("Not placed.")).to_be_visible()
    assert client.bot(BOT)["position"] is None
    page.get_by_role("link", name="Reconcile").last.click()

    page.get_by_role("button", name="Decide").first.click()
    page.get_by_text("Adopt", exact=True).click()
    page.get_by_role("button", name="Adopt it").click()
    expect(page.get_by_text("books and venue agree").first).to_be_visible()
    assert client.bot(BOT)["account_objection"] is None
    (line,) = rows(deck.place.data, "SELECT * FROM account_lines WHERE kind != 'opening'")
    assert (line["asset"], Decimal(line["amount"])) == ("USDT", Decimal("12.5"))
    page.get_by_text("Decided before").click()
    expect(page.get_by_text("Outcome").first).to_be_attached()
