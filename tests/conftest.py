"""Fixtures that every kind of test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import open_chromium, open_page
from tests.support.forks import close_nurseries
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.processes import Copy, copy_of_quarterdeck

LONGEST = (
    "test_fault_matrix_kills.py", "test_fault_matrix_kills_asked.py", "test_invariants.py",
    "test_kill_nine.py", "test_accounts.py",
    "test_cli.py", "test_compute.py", "test_first_trade.py", "test_strategy_isolation.py",
    "test_store_durability.py", "test_parity.py", "test_fault_matrix_engine.py",
    "test_engine_cli.py", "test_engine_life.py", "test_engine_recovery.py",
    "test_fault_matrix_data.py", "test_chart_zoom.py", "test_studies.py",
    "test_engine_isolation.py", "test_fault_matrix_store.py", "test_reconcile_engine.py",
    "test_backtests.py", "test_tune_cli.py", "test_by_hand.py", "test_backtest.py",
    "test_simulator.py", "test_engine_input.py", "test_engine_accounts.py", "test_engine_mt5.py",
    "test_engine_postgres.py", "test_engine_replays.py", "test_store.py", "test_study_run.py",
    "test_metatrader_to_gemini.py", "test_signals.py", "test_engine_models.py",
    "test_engine_inbox.py", "test_engine_metatrader.py", "test_api_schemathesis.py",
    "test_engine_backup.py", "test_alert_day.py", "test_watcher.py", "test_monitoring.py",
    "test_canary_secrets.py", "test_alerts.py", "test_cli_alerts.py", "test_ai.py",
)  # fmt: skip
"""Files that take longest, in this order."""


ONE_ATTEMPT = (
    "test_fault_matrix_kills.py", "test_fault_matrix_kills_asked.py", "test_kill_nine.py",
    "test_invariants.py",
)  # fmt: skip
OF_THE_MACHINE = (
    r"not within \d+ s", r"did not answer within", "Timeout", "TooLate",
    "NoSuchProcess", "ZombieProcess", "in use", "did not start", "ConnectError",
)  # fmt: skip
"""How a failure by time, or of processes and ports, reads: the exception's type and words."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Second attempts, see docs/adr/0026; and where processes share the files, the long ones come
    first: none is left alone at the end."""
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.flaky(reruns=1))
        elif item.path.name not in ONE_ATTEMPT:
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=list(OF_THE_MACHINE)))
    if hasattr(config, "workerinput"):
        places = {name: place for place, name in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL server, one a test process, started at the first use."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh, empty PostgreSQL database."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, one a test file.

    Not one a process: while Playwright is active, other tests of the process cannot use asyncio.
    """
    with open_chromium() as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A browser page with empty storage."""
    with open_page(browser) as page:
        yield page


@pytest.fixture
def quarterdeck(tmp_path: Path) -> Iterator[Copy]:
    """A copy of Quarterdeck over an empty data folder, nothing started yet."""
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        yield copy


def pytest_unconfigure() -> None:
    close_nurseries()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests have recorded, whichever process ran them, and first attempts
    that failed, as failures are printed: only so are they mended."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"first attempt of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)
        for title, text in report.sections:
            terminalreporter.write_line(f"--- {title}\n{text}")
    for report in terminalreporter.getreports("passed"):
        for name, value in getattr(report, "user_properties", ()):
            if name == "figures" and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid}:\n{value}")
