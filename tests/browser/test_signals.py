"""A signal in a real browser: a bot that listens is made, its alert is written, delivered four
times as TradingView may do it, and one position and one signal come of it.

Engine and panel are the real ones; the test posts what TradingView would.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from panel.placeholders import filled
from tests.support.browser import open_page
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.visits import choose, visit

NAME, STRATEGY = "listener", "Signals from outside"
DELIVERIES = 4
PHONE_PX = 390


@pytest.fixture
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Engine and panel over an empty data folder."""
    with copy_of_quarterdeck(tmp_path_factory.mktemp("deck") / "data") as copy:
        copy.start_engine()
        copy.start_panel()
        yield copy


def create_by_form(page: Page, deck: Copy) -> None:
    """A bot that does what it is told and nothing else."""
    visit(page, deck, "create")
    choose(page, "Strategy", STRATEGY)
    page.get_by_text("Listen to signals from outside").click()
    expect(page.get_by_role("spinbutton", name="Longest lag")).to_be_visible()
    name = page.get_by_label("Name", exact=True)
    name.fill(NAME)
    name.press("Tab")
    expect(page.get_by_text("Can be lost")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Create and start").click()
    page.wait_for_url("**/bot?bot=*tab=Signals*")
    expect(page.locator(".qd-state", has_text="running").first).to_be_visible(timeout=60_000)


def take_address_and_message(page: Page) -> tuple[str, str]:
    """From the TradingView page, to which the bot's own leads."""
    page.get_by_role("link", name="Set up its alert").click()
    expect(page.get_by_role("heading", name="TradingView")).to_be_visible()
    expect(page.locator("[data-testid=stCode]", has_text="/webhook/")).to_have_count(0)
    page.get_by_role("button", name="Show the address").click()
    address = page.locator("[data-testid=stCode]", has_text="/webhook/").last
    expect(address).to_be_visible()
    page.get_by_role("radio", name="Indicator alert").click()
    message = page.locator("[data-testid=stCode]", has_text="timenow")
    expect(message).to_contain_text('"side": "long"')
    expect(page.get_by_text("With sample values it reads")).to_contain_text("open long BTCUSDT")
    return address.inner_text().strip(), message.inner_text().strip()


def deliver(address: str, message: str) -> list[httpx.Response]:
    """The same firing of an alert, several times."""
    body = filled(message, datetime.now(UTC))
    headers = {"Content-Type": "application/json"}
    with httpx.Client(trust_env=False, timeout=30) as http:
        return [http.post(address, content=body, headers=headers) for _ in range(DELIVERIES)]


def test_four_deliveries_of_one_alert_make_one_position(
    page: Page, browser: Browser, deck: Copy
) -> None:
    visit(page, deck, "overview")
    create_by_form(page, deck)
    address, message = take_address_and_message(page)
    answers = deliver(address, message)
    assert [one.status_code for one in answers] == [200] * DELIVERIES, answers[-1].text
    [signal_id] = {one.json()["id"] for one in answers}

    client = Client(deck)
    eventually(lambda: client.bot(NAME)["position"], bool)
    entries = [one for one in client.get(f"/bots/{NAME}/orders") if one["purpose"] == "entry"]
    assert len(entries) == 1
    assert client.bot(NAME)["position"]["entry_count"] == 1

    with open_page(browser, width=PHONE_PX) as phone:
        visit(phone, deck, f"inbox?bot={NAME}")
        phone.locator(".dvn-scroller").first.click(position={"x": 60, "y": 45})
        phone.wait_for_url(f"**signal={signal_id}*")
        opened = phone.locator(".st-key-qd-signal")
        expect(opened.locator(".qd-state")).to_have_text("acted")
        expect(opened).to_contain_text(f"{DELIVERIES}, counted once")
        expect(opened).to_contain_text("open long BTCUSDT")
        for where in (None, f"tradingview?bot={NAME}", f"bot?bot={NAME}&tab=Signals"):
            if where is not None:
                visit(phone, deck, where)
            width = phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
            assert width <= PHONE_PX, f"{where} is wider than a phone"
