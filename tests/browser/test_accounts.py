"""An account in a real browser, from its key to a round trip: one row a venue.

Engine, panel and the vendor's adapter are the real ones; the venue is its stand-in on this machine.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fakes.exchange import KEY, SECRET, binance_exchange
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck

ACCOUNT, BOT = "My account", "Trader"


@dataclass(frozen=True)
class VenueCase:
    """A venue as a person adds it: its title in the list, how its stand-in is started, which gives
    what to type by label, and what is bought there."""

    title: str
    serve: Callable[[], AbstractContextManager[Mapping[str, str]]]
    secrets: tuple[str, ...]
    symbol: str = "BTC/USDT"
    amount: str = "250"
    mode: str = "TEST"


@contextmanager
def serve_binance() -> Iterator[Mapping[str, str]]:
    """The loopback exchange."""
    with binance_exchange() as exchange:
        yield {
            "Address of a stand-in": exchange.url,
            "API key": exchange.key,
            "Secret key": exchange.secret,
        }


CASES = {"binance": VenueCase("Binance", serve_binance, secrets=(KEY, SECRET))}


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
    """Pick from a list by typing."""
    box = page.get_by_role("combobox", name=label, exact=True)
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option).first.click()


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


@pytest.mark.parametrize("name", CASES)
def test_from_a_key_to_a_round_trip(page: Page, deck: Copy, name: str) -> None:
    case, client = CASES[name], Client(deck)
    with case.serve() as typed:
        add_account(page, deck, case, typed)
        create_and_start(page, deck, case)
        expect(page.locator(".qd-statusline .qd-mode", has_text=case.mode).first).to_be_visible()

        visit(page, deck, f"bot?bot={BOT}&tab=Orders")
        page.get_by_text("New order").click()
        size = page.get_by_label("Size (", exact=False).first
        size.fill(case.amount)
        size.press("Tab")
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
