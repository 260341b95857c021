"""How long a person waits for the panel: a usable Overview of 200 bots, and a command's effect."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import open_page
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_as_delivered

BOTS = 200
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "DOGE/USDT", "AAPL", "MSFT", "TSLA")
STRATEGIES = ("rsi", "ma_cross", "macd", "bollinger")
ROUNDS = 5
OVERVIEW_GOAL_S = 2.0
COMMAND_GOAL_S = 1.0
USABLE = "[data-testid=stDataFrame] canvas, .qd-card"
"""The Overview can be worked with once its table or its cards are there."""


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A panel over an engine with 200 bots that run on candles of one minute."""
    data: Path = tmp_path_factory.mktemp("data")
    with copy_as_delivered(data, QUARTERDECK_PAPER_BALANCE="10000000") as copy:
        copy.start_engine()
        client = Client(copy)
        for number in range(BOTS):
            bot = client.create_bot(
                name=f"bot {number:03}", symbol=SYMBOLS[number % len(SYMBOLS)], timeframe="1m",
                interval_s=60, strategy=STRATEGIES[number % len(STRATEGIES)], params={},
            )  # fmt: skip
            client.post(f"/bots/{bot['id']}/start")
        eventually(lambda: client.get("/stats")["live_bots"], lambda live: live == BOTS)
        copy.start_panel()
        yield copy


@pytest.fixture
def at(deck: Copy) -> Callable[[str], str]:
    """The address of a page of the panel."""
    return lambda path: f"http://127.0.0.1:{deck.place.panel_port}/{path}"


def measured(act: Callable[[], object]) -> float:
    """Seconds until ``act`` has returned."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def report(what: str, seconds: list[float]) -> None:
    """Print the figures of one measurement."""
    print(f"\n{what}: median {median(seconds):.2f} s, worst {max(seconds):.2f} s", end="")


def test_the_overview_of_200_bots_is_soon_usable(
    browser: Browser, at: Callable[[str], str]
) -> None:
    for path in ("", "?view=Cards"):
        cold: list[float] = []
        warm: list[float] = []
        for _ in range(ROUNDS):
            with open_page(browser) as page:
                for times in (cold, warm):
                    times.append(measured(lambda: _open_overview(page, at(path))))  # noqa: B023
        report(f"Overview {path or '(table)'}, first visit of a browser", cold)
        report(f"Overview {path or '(table)'}, later visits", warm)
        assert median(warm) < OVERVIEW_GOAL_S


def _open_overview(page: Page, url: str) -> None:
    page.goto(url)
    page.locator(USABLE).first.wait_for()


def test_a_command_shows_its_effect_at_once(page: Page, at: Callable[[str], str]) -> None:
    page.goto(at("?view=Cards&search=bot+000"))
    card = page.locator("[class*=st-key-qd-card-]")
    on_a_card = _pause_and_resume(card.first)
    report("Pause and Resume on a card of the Overview", on_a_card)
    page.goto(at("bot?bot=bot+001"))
    on_the_page = _pause_and_resume(page.locator("[data-testid=stMain]"))
    report("Pause and Resume on the Bot page", on_the_page)
    assert median(on_a_card + on_the_page) < COMMAND_GOAL_S


def _pause_and_resume(place: Locator) -> list[float]:
    times = []
    for _ in range(ROUNDS):
        for command, state in (("Pause", "paused"), ("Resume", "running")):
            place.get_by_role("button", name=command).click()
            shown = place.locator(".qd-state", has_text=state)
            times.append(measured(shown.wait_for))
    return times


def test_the_kill_switch_opens_and_acts_at_once(page: Page, at: Callable[[str], str]) -> None:
    opened, engaged, released = [], [], []
    page.goto(at(""))
    page.locator(USABLE).first.wait_for()
    for _ in range(ROUNDS):
        page.get_by_role("button", name="Kill switch").click()
        engage = page.get_by_role("button", name="Engage")
        opened.append(measured(engage.wait_for))
        engage.click()
        banner = page.locator(".st-key-qd-kill-banner")
        engaged.append(measured(banner.wait_for))
        page.get_by_role("button", name="Release").click()
        released.append(measured(lambda: expect(banner).to_have_count(0)))  # noqa: B023
    report("Kill switch, click to dialog", opened)
    report("Kill switch, Engage to banner", engaged)
    report("Kill switch, Release to no banner", released)
    print()
    assert max(median(opened), median(engaged), median(released)) < COMMAND_GOAL_S
