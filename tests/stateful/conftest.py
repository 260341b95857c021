"""Says how many steps the machines made, whichever process made them."""

import logging

import pytest


@pytest.fixture(autouse=True)
def unlogged(caplog: pytest.LogCaptureFixture) -> None:
    """Every step goes wrong in some way and would be written down."""
    caplog.set_level(logging.CRITICAL)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)
               if isinstance(one, pytest.TestReport)]  # fmt: skip
    made = [
        int(str(value)) for one in reports for name, value in one.user_properties if name == "steps"
    ]
    failed = [one for one in reports if one.failed and "stateful" in one.nodeid]
    if made or failed:
        terminalreporter.write_line(
            f"stateful steps: {sum(made):,} in {len(made)} parts, {len(failed)} violations"
        )
