"""An account in a real browser, from its key to a round trip: one row a venue.

Engine, panel and the vendor's adapter are the real ones; the venue is its stand-in on this machine.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

from tests.fakes.alpaca import exchange as alpaca
from tests.fakes.alpaca.server import alpaca_exchange
from tests.fakes.exchange import KEY, SECRET, binance_exchange
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck

ACCOUNT, BOT = "My account", "Trader"
TRIES = 6


@dataclass(frozen=True)
class VenueCase:
    """A venue as a person adds it: its title in the list, how its stand-in is started, which gives
    what to type by label, what to choose by label, and what is bought there."""

    title: str
    serve: Callable[[], AbstractContextManager[Mapping[str, str]]]
    secrets: tuple[str, ...]
    symbol: str = "BTC/USDT"
    amount: str = "250"
    mode: str = "TEST"
    choices: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def serve_binance() -> Iterator[Mapping[str, str]]:
    """The loopback exchange."""
    with binance_exchange() as exchange:
        yield {
            "Address of a stand-in": exchange.url,
            "API key": exchange.key,
            "Secret key": exchange.secret,
        }


@contextmanager
def serve_alpaca() -> Iterator[Mapping[str, str]]:
    """The loopback broker."""
    with alpaca_exchange() as exchange:
        yield {
            "Stand-in for orders": exchange.url,
            "Stand-in for prices": exchange.url,
            "Key": exchange.key,
            "Secret": exchange.secret,
        }


CASES = {
    "binance": VenueCase("Binance", serve_binance, secrets=(KEY, SECRET)),
    "alpaca": VenueCase(
        "Alpaca", serve_alpaca, secrets=(alpaca.KEY, alpaca.SECRET), symbol="BTC/USD",
        choices={"Trades": "crypto"},
    ),
}  # fmt: skip


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Copy]:
    """Engine and panel over an empty data folder."""
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        copy.start_engine()
        copy.start_panel()
        yield copy


def visit(page: Page, deck: Copy, address: str) -> None:
    """Open a page of the panel and wait for its heading."""
    page.goto(f"http://127.0.0.1:{deck.place.panel_port}/{address}")
    page.get_by_role("heading", level=2).first.wait_for(timeout=30_000)


def choose(page: Page, label: str, option: str) -> None:
    """Pick from a list by typing; again when the list is drawn anew meanwhile."""
    box = page.get_by_role("combobox", name=label, exact=True)
    for _ in range(TRIES):
        with suppress(Error):
            box.click(timeout=5_000)
            box.fill(option, timeout=5_000)
            page.get_by_role("option", name=option).first.click(timeout=5_000)
            return
    raise AssertionError(f"{option} could not be chosen as {label}")


def type_in(page: Page, label: str, text: str) -> None:
    """Fill a field in and leave it."""
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Tab")


def add_account(page: Page, deck: Copy, case: VenueCase, typed: Mapping[str, str]) -> None:
    """By the form of the venue."""
    visit(page, deck, "accounts")
    expect(page.get_by_text("No account yet")).to_be_visible()
    choose(page, "Venue", case.title)
    page.get_by_role("radio", name=case.mode, exact=True).click()
    type_in(page, "Name", ACCOUNT)
    for label, option in case.choices.items():
        choose(page, label, option)
    for label, text in typed.items():
        type_in(page, label, text)
    page.get_by_role("button", name="Test and add").click()
    card = page.locator(".qd-account", has_text=ACCOUNT)
    expect(card.locator(".qd-state")).to_have_text("takes entries", timeout=60_000)
    expect(card.locator(".qd-mode")).to_have_text(case.mode)
    expect(page.locator(".qd-checks li").first).to_be_visible()


def create_and_start(page: Page, deck: Copy, case: VenueCase) -> None:
    """A bot on the account, by the form."""
    visit(page, deck, "create")
    choose(page, "Market", f"{ACCOUNT} · {case.mode}")
    choose(page, "Symbol", case.symbol)
    page.get_by_role("button", name="1 min", exact=True).click()
    type_in(page, "Name", BOT)
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


@pytest.mark.parametrize("name", CASES)
def test_from_a_key_to_a_round_trip(page: Page, deck: Copy, name: str) -> None:
    case, client = CASES[name], Client(deck)
    with case.serve() as typed:
        add_account(page, deck, case, typed)
        create_and_start(page, deck, case)
        expect(page.locator(".qd-statusline .qd-mode", has_text=case.mode).first).to_be_visible()

        eventually(lambda: client.bot(BOT)["last_price"], bool)
        visit(page, deck, f"bot?bot={BOT}&tab=Orders")
        page.get_by_text("New order").click()
        give_size(page, case.amount)
        page.get_by_role("button", name="Buy ").click()
        eventually(lambda: client.bot(BOT)["position"], bool)

        visit(page, deck, f"bot?bot={BOT}&tab=Positions")
        page.get_by_role("button", name="Close a part or all").click()
        page.get_by_role("dialog").get_by_text("100 %", exact=True).click()
        page.get_by_role("button", name="Close 100 % at the market").click()
        eventually(lambda: client.bot(BOT)["trade_count"], lambda count: count == 1)
        trades = page.locator(".qd-strip > div", has_text="Trades")
        expect(trades.first).to_contain_text("1", timeout=20_000)
        for secret in case.secrets:
            assert secret not in page.content()
