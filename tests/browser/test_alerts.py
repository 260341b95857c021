"""Alerts in a real browser: a channel by its form, the matrix, and a bot's trade as an SMS.

Engine, panel and Twilio's SDK are the real ones; Twilio is its stand-in on this machine.
"""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Locator, Page, expect

from tests.fakes.twilio_server import ACCOUNT, PHONE, SENDER, TwilioServer, twilio_server
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.visits import choose, visit, wait_until_drawn

TOKEN = "canary-auth-token-of-the-browser"
FIELDS = {
    "Name": "Phone", "Account SID": ACCOUNT, "Auth token": TOKEN, "From": SENDER, "To": PHONE,
}  # fmt: skip
TICKED = ("Position opened", "Position closed")
PATIENCE_MS = 60_000
TRADE_WAIT_S = 180
TRIES = 8


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    """Twilio's API, with one account that is full."""
    with twilio_server(token=TOKEN) as server:
        yield server


def add_channel(page: Page, deck: Copy) -> Locator:
    """By the form; the card of the channel, which is on."""
    visit(page, deck, "alerts")
    expect(page.get_by_text("No channel yet")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Add a channel").click()
    dialog = page.get_by_role("dialog")
    choose(page, "Kind", "SMS by Twilio")
    for label, text in FIELDS.items():
        dialog.get_by_label(label, exact=True).fill(text)
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_be_hidden(timeout=PATIENCE_MS)
    card = page.locator('[class*="st-key-qd-channel-"]', has_text=FIELDS["Name"])
    expect(card.locator(".qd-state").first).to_have_text("on", timeout=PATIENCE_MS)
    return card


def press_test(page: Page, card: Locator) -> str:
    """Press Test; what the provider said."""
    card.get_by_role("button", name="Test", exact=True).click()
    said = card.locator(".qd-test")
    expect(said).to_be_visible(timeout=PATIENCE_MS)
    wait_until_drawn(page)
    return said.inner_text()


def tick(page: Page, name: str) -> None:
    """Tick a box of the matrix, again until it is: a click meets a redraw on a slow machine."""
    box = page.get_by_role("checkbox", name=name, exact=True)
    for _ in range(TRIES):
        if box.is_checked():
            return
        with suppress(Error):
            box.click(force=True, timeout=5_000)
        wait_until_drawn(page)
    raise AssertionError(f"{name} could not be ticked")


def fill_matrix(page: Page, deck: Copy) -> None:
    """What the phone is told, saved together."""
    visit(page, deck, "alerts?view=Matrix")
    for title in TICKED:
        tick(page, f"{title}, {FIELDS['Name']}")
    expect(page.get_by_text("2 changes not saved")).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("All saved")).to_be_visible(timeout=PATIENCE_MS)


def cells(page: Page, text: str) -> Locator:
    """Cells of the log that contain a text: the table is a picture, with its words beside it."""
    return page.locator('[data-testid="stDataFrame"] [role="gridcell"]', has_text=text)


def check_secret(page: Page, deck: Copy) -> None:
    """The token is neither on the page nor in any file of the data folder, logs included."""
    assert TOKEN not in page.content()
    holding = [
        str(path)
        for path in deck.place.data.rglob("*")
        if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert holding == []


def test_a_trade_of_a_bot_is_told_by_sms(
    page: Page, twilio: TwilioServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("deck") / "data"
    with copy_of_quarterdeck(data, QUARTERDECK_TWILIO_URL=twilio.url) as deck:
        deck.start_engine()
        deck.start_panel()
        client = Client(deck)
        card = add_channel(page, deck)

        said = press_test(page, card)
        [(number, text)] = twilio.texts
        assert number == PHONE
        assert "test message" in text
        assert "sent" in said
        assert f"queued for {PHONE}" in said
        twilio.wrong.append(PHONE)
        card.get_by_role("button", name="Test", exact=True).click()
        expect(card.locator(".qd-test")).to_contain_text("21211", timeout=PATIENCE_MS)
        twilio.wrong.clear()
        check_secret(page, deck)

        fill_matrix(page, deck)
        client.create_bot(name="teller")
        client.post("/bots/teller/start")
        told = eventually(
            lambda: [text for _, text in twilio.texts[1:]],
            lambda texts: any("teller: position opened" in text for text in texts),
            timeout_s=TRADE_WAIT_S,
        )
        client.post("/bots/teller/stop", {"close_position": True})

        visit(page, deck, "alerts?view=Log&kind=Position%20opened")
        expect(cells(page, "Position opened").first).to_be_attached(timeout=PATIENCE_MS)
        expect(cells(page, "sent").first).to_be_attached(timeout=PATIENCE_MS)
        visit(page, deck, "alerts?view=History")
        line = page.locator(".qd-alerts details", has_text="teller: position opened")
        expect(line.get_by_text("Phone: sent").first).to_be_visible(timeout=PATIENCE_MS)
        assert len(set(told)) == len(told), "each is told once"
        client.wait_for_state("teller", "stopped")
        check_secret(page, deck)
