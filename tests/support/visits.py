"""What a person does on every page of the panel, patient as a person is.

A page may be drawn anew at any moment, and a list that was open is then closed: choosing is
tried again until the page says that it took.
"""

import re
from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Error, Locator, Page, expect

from tests.support.client import eventually
from tests.support.processes import Copy

TRIES = 20
TRY_MS = 5_000
TOOK_S = 20


def visit(page: Page, deck: Copy, address: str) -> None:
    """Open a page of the panel and wait until all of it is drawn."""
    page.goto(f"http://127.0.0.1:{deck.place.panel_port}/{address}")
    page.get_by_role("heading", level=2).first.wait_for()
    wait_until_drawn(page)
    expect(page.get_by_text("Page not found")).to_have_count(0)


def open_tab(page: Page, name: str) -> None:
    """Show another tab of the page: less work than loading the page anew."""
    tab = page.get_by_role("tab", name=name, exact=True)
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
    wait_until_drawn(page)


def wait_until_drawn(page: Page) -> None:
    """No script of the page runs any more."""
    page.locator("[data-test-script-state=notRunning]").wait_for()


def choose(page: Page, label: str, option: str) -> None:
    """Pick what begins with ``option`` by typing, unless that is what the list shows."""
    box = page.get_by_role("combobox", name=label, exact=True)
    offered = page.get_by_role("option", name=re.compile(f"^{re.escape(option)}")).first
    for _ in range(TRIES):
        with suppress(Error):
            if box.input_value(timeout=TRY_MS).startswith(option):
                return
            box.click(timeout=TRY_MS)
            box.fill(option, timeout=TRY_MS)
            offered.click(timeout=TRY_MS)
        with suppress(Error):
            box.blur(timeout=TRY_MS)  # what was typed and not chosen goes
        wait_until_drawn(page)
    raise AssertionError(f"{option} could not be chosen as {label}")


def type_in(page: Page, label: str, text: str) -> None:
    """Fill a field in and leave it."""
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Tab")


def press(button: Locator, took: Callable[[], bool]) -> None:
    """Press until it took: a page that is drawn anew in that moment has no button there."""
    for _ in range(TRIES):
        button.click()
        with suppress(AssertionError):
            eventually(took, bool, timeout_s=TOOK_S)
            return
    raise AssertionError(f"{button} was pressed and nothing came of it")


def begin_with(page: Page, preset: str, timeframe: str) -> None:
    """Press a preset of the bot's form, and wait for it: what is typed before it has come would
    send the old choices along."""
    chosen = page.get_by_role("combobox", name="Timeframe", exact=True)
    preset_button = page.get_by_role("button", name=preset, exact=True)
    press(preset_button, lambda: chosen.input_value() == timeframe)
    wait_until_drawn(page)
