"""Tells with a failure in the browser what was on screen."""

from collections.abc import Generator
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and isinstance(page, Page):
        with suppress(Error):
            report.sections.append(("on screen", f"{page.url}\n{page.inner_text('body')}"))
    return report
