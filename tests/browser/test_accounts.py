"""An account in a real browser, from its key to a round trip: one row a venue.

Engine, panel and the vendor's adapter are the real ones; the venue is its stand-in on this machine.
All rows use one engine and one panel, which starts with no account; what a row adds stays there.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import open_page
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.venue_cases import CASES, Form, VenueCase
from tests.support.visits import begin_with, choose, open_tab, press, type_in, visit

MODE = "TEST"
TRIES = 6


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """Engine and panel over an empty data folder."""
    with copy_of_quarterdeck(tmp_path_factory.mktemp("deck") / "data") as copy:
        copy.start_engine()
        copy.start_panel()
        yield copy


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One for all rows, so that the panel's scripts are read once; each visit is a new session."""
    with open_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def stand_ins(deck: Copy) -> Iterator[ExitStack]:
    """Keeps stand-ins up until the last row is done: those of earlier rows have bots."""
    with ExitStack() as stack:
        yield stack


def add_account(page: Page, deck: Copy, name: str, case: VenueCase, form: Form) -> Locator:
    """By the form of the venue; the card of the account, which takes entries."""
    visit(page, deck, "accounts")
    choose(page, "Venue", case.title)
    page.get_by_role("radio", name=MODE, exact=True).click()
    type_in(page, "Name", name)
    for label, option in form.chosen.items():
        choose(page, label, option)
    for label, text in form.typed.items():
        type_in(page, label, text)
    page.get_by_role("button", name="Test and add").click()
    card = page.locator('[class*="st-key-qd-venue-account-"]', has_text=name)
    if case.login:
        log_in(page, card, case.login)
    expect(card.locator(".qd-state").first).to_have_text("takes entries", timeout=60_000)
    expect(card.locator(".qd-mode")).to_have_text(MODE)
    expect(card.locator(".qd-checks li").first).to_be_visible()
    return card


def log_in(page: Page, card: Locator, answer: str) -> None:
    """Paste what the venue's login page answers."""
    expect(card.locator(".qd-state").first).to_have_text("log in", timeout=60_000)
    card.get_by_role("button", name="Log in").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name="Open the login page")).to_be_visible()
    dialog.get_by_label("Address or token").fill(answer)
    dialog.get_by_role("button", name="Complete the login").click()
    expect(dialog).to_be_hidden()


def create_and_start(page: Page, deck: Copy, name: str, case: VenueCase) -> None:
    """A bot on the account, by the form."""
    visit(page, deck, "create")
    choose(page, "Market", f"{name} · {MODE}")
    choose(page, "Symbol", case.symbol)
    begin_with(page, "1 min", "1m")
    if case.has_hours:
        page.get_by_text("Sleep: market hours").click()
        page.get_by_text("Sleep while the market is closed").click()
    type_in(page, "Name", name)
    expect(page.get_by_text("Can be lost")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Create and start").click()
    page.wait_for_url("**/bot?bot=*")
    expect(page.locator(".qd-state", has_text="running").first).to_be_visible(timeout=60_000)


def give_size(page: Page, amount: str) -> None:
    """In the ticket, which is drawn anew when it opens: like a person, type again what is gone."""
    size = page.get_by_label("Size (", exact=False).first
    told = page.get_by_text("Buys about")
    for _ in range(TRIES):
        size.fill("")
        size.fill(amount)
        size.press("Tab")
        with suppress(AssertionError):
            expect(told).to_be_visible(timeout=5_000)
            return
    expect(told).to_be_visible()


def is_taken(order: dict[str, Any]) -> bool:
    """Whether the venue has it, or may have it."""
    return order["state"] not in ("rejected", "expired")


@pytest.mark.parametrize("row", CASES)
def test_from_a_key_to_a_round_trip(
    request: pytest.FixtureRequest, page: Page, deck: Copy, stand_ins: ExitStack, row: str
) -> None:
    case, client = CASES[row], Client(deck)
    name = f"My {row} {request.node.execution_count}"  # a second attempt meets what the first left
    form = stand_ins.enter_context(case.serve(deck.place.data))
    add_account(page, deck, name, case, form)
    create_and_start(page, deck, name, case)
    expect(page.locator(".qd-statusline .qd-mode", has_text=MODE).first).to_be_visible()

    eventually(
        lambda: client.bot(name),
        lambda bot: bot["account_objection"] is None and bot["last_price"] is not None,
    )
    open_tab(page, "Orders")
    page.get_by_text("New order").click()
    give_size(page, case.amount)
    buy = page.get_by_role("button", name="Buy ")
    press(buy, lambda: any(is_taken(order) for order in client.get(f"/bots/{name}/orders")))
    eventually(lambda: client.bot(name)["position"], bool)

    open_tab(page, "Positions")
    whole = page.get_by_role("dialog").get_by_text("100 %", exact=True)
    press(page.get_by_role("button", name="Close a part or all"), whole.is_visible)
    whole.click()
    page.get_by_role("button", name="Close 100 % at the market").click()
    eventually(lambda: client.bot(name)["trade_count"], lambda count: count == 1)
    trades = page.locator(".qd-strip > div", has_text="Trades")
    expect(trades.first).to_contain_text("1", timeout=60_000)
    for secret in case.secrets:
        assert secret not in page.content()
