"""From a signal as MetaTrader posts it, over a decision of Gemini, to a filled paper order that is
stored and on screen.

Engine, panel and Google's SDK are the real ones; Gemini is its stand-in on this machine.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from engine.domain.timeframes import floor_time
from tests.fakes.gemini import Gemini, gemini_server
from tests.fakes.model_server import answer
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.visits import choose, visit

ACCOUNT, SYMBOL, NAME = "51234567", "BTCUSD", "hybrid"
PRICE = 100.0
REASON = "Each bar closes higher than the last."
MINUTE = timedelta(minutes=1)


@pytest.fixture
def gemini() -> Iterator[Gemini]:
    """It wants nothing until a test says otherwise."""
    with gemini_server() as server:
        server.say(answer(action="hold", reasoning="Nothing to see yet."))
        yield server


@pytest.fixture
def deck(tmp_path_factory: pytest.TempPathFactory, gemini: Gemini) -> Iterator[Copy]:
    """Engine and panel over an empty data folder, with a key to the stand-in."""
    folder = tmp_path_factory.mktemp("deck") / "data"
    told = {"QUARTERDECK_GEMINI_KEY": gemini.key, "QUARTERDECK_GEMINI_URL": gemini.url}
    with copy_of_quarterdeck(folder, **told) as copy:
        copy.start_engine()
        copy.start_panel()
        yield copy


def post_bar(deck: Copy, bar: datetime, *, before: int = 0) -> None:
    """What ``QuarterdeckBridge.mq5`` sends about the bar that opened at ``bar``, with so many
    bars before it."""
    past = [
        [int((bar - ago * MINUTE).timestamp()), PRICE, PRICE + 1, PRICE - 1, PRICE, 10]
        for ago in range(before, 0, -1)
    ]
    body: dict[str, Any] = {
        "source": "metatrader-ea", "version": 1, "account": ACCOUNT, "server": "StandIn-Demo",
        "type": "market_data", "symbol": SYMBOL, "timeframe": "M1",
        "time": datetime.now(UTC).isoformat(), "bar_time": bar.isoformat(),
        "bid": PRICE, "ask": PRICE + 0.02, "spread": 0.02, "open": PRICE, "high": PRICE + 1,
        "low": PRICE - 1, "close": PRICE, "volume": 12, "bars": past,
        "indicators": {"rsi_14": 61.5, "sma_50": 99.5},
        "instrument": {
            "digits": 2, "point": 0.01, "tick_size": 0.01, "contract_size": 1, "lot_min": 0.01,
            "lot_step": 0.01, "lot_max": 100, "base": "BTC", "profit": "USD", "trade_mode": "full",
            "path": "Crypto\\BTCUSD",
        },
    }  # fmt: skip
    answered = httpx.post(
        f"{deck.engine_url}/api/signals", json=body, trust_env=False, timeout=60,
        headers={"Authorization": f"Bearer {deck.token}"},
    )  # fmt: skip
    assert answered.status_code == 200, answered.text


def newest_bar() -> datetime:
    """When the bar opened that has closed last."""
    return floor_time(datetime.now(UTC), 60) - MINUTE


def create_decided_bot(page: Page, deck: Copy) -> None:
    """A bot on MetaTrader's prices that opens what the model wants, by the form."""
    visit(page, deck, "create")
    choose(page, "Market", f"MetaTrader {ACCOUNT}")
    symbol = page.get_by_role("combobox", name="Symbol", exact=True)
    expect(symbol).to_have_value(SYMBOL, timeout=60_000)
    choose(page, "Strategy", "Signals from outside")
    page.get_by_role("radio", name="Decider", exact=True).click()
    expect(page.get_by_role("spinbutton", name="Confidence threshold")).to_have_value("0.7")
    name = page.get_by_label("Name", exact=True)
    name.fill(NAME)
    name.press("Tab")
    expect(page.get_by_text("The model may")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Create and start").click()
    page.wait_for_url("**/bot?bot=*")
    expect(page.locator(".qd-state", has_text="running").first).to_be_visible(timeout=60_000)


def test_from_metatraders_signal_over_geminis_decision_to_a_paper_order(
    page: Page, deck: Copy, gemini: Gemini
) -> None:
    first = newest_bar() - MINUTE
    post_bar(deck, first, before=80)
    create_decided_bot(page, deck)

    gemini.say(answer(action="buy", confidence=0.85, reasoning=REASON, stop=99.5, size=0.5))
    post_bar(deck, newest_bar(), before=1)
    client = Client(deck)
    position = eventually(lambda: client.bot(NAME)["position"], bool)
    assert (position["side"], position["stop_price"]) == ("long", "99.5")

    # Stored, from the raw body to the fill.
    data = deck.place.data
    prices = rows(data, "SELECT state, body FROM signals WHERE source = 'metatrader'")
    assert prices, "the signal is kept"
    assert {row["state"] for row in prices} == {"acted"}
    bought = rows(data, "SELECT * FROM advice WHERE answer LIKE '%higher than the last%'")
    assert [(row["state"], row["tokens_in"], row["provider"]) for row in bought] == [
        ("answered", gemini.tokens[0], "gemini")
    ]
    assert "61.5" in bought[0]["prompt"], "MetaTrader's own indicators are shown to the model"
    [order] = rows(data, "SELECT * FROM orders")
    assert (order["side"], order["state"], order["account_id"]) == (
        "buy", "filled", f"paper:metatrader:{ACCOUNT}",
    )  # fmt: skip
    [fill] = rows(data, "SELECT * FROM fills")
    assert fill["client_id"] == order["client_id"]
    assert all(gemini.key not in row["prompt"] + row["answer"] for row in bought)

    # On screen: the position, why it was opened, the model's answer, the signal.
    visit(page, deck, f"bot?bot={NAME}&tab=Positions")
    expect(page.get_by_role("button", name="Close a part or all")).to_be_visible()
    visit(page, deck, f"bot?bot={NAME}&tab=Why%3F")
    expect(page.get_by_text(REASON).first).to_be_visible()
    visit(page, deck, "ai")
    expect(page.get_by_text("gemini-2.5-flash").first).to_be_visible()
    visit(page, deck, f"ai?advice={bought[0]['id']}")
    expect(page.get_by_text(REASON).first).to_be_visible()
    visit(page, deck, "inbox?source=metatrader")
    expect(page.locator("[data-testid=stMain]")).not_to_contain_text("No signal")
    assert gemini.key not in page.content()
