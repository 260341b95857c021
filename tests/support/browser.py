"""A real Chromium for the tests, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tooling.programs import find_browser

# Root's Chromium has no sandbox; the others keep it from calling home.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
TIMEOUT_MS = 30_000


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Start a headless browser and close it at the end."""
    expect.set_options(timeout=TIMEOUT_MS)  # a loaded machine is slow, and no failure
    executable = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(executable) if executable else None, args=list(ARGUMENTS)
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, *, width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A page with empty storage; times are shown in UTC. The size is in CSS pixels.

    It asks for less motion: without a graphics card every frame of an animation is drawn by the
    processor.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height},
        timezone_id="UTC",
        locale="en-GB",
        reduced_motion="reduce",
        accept_downloads=True,
    )
    context.set_default_timeout(TIMEOUT_MS)
    try:
        yield context.new_page()
    finally:
        context.close()
