"""Descriptions of platforms, for the commands that check them without an engine."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.adapters.brokers.rest.access import opened
from engine.adapters.brokers.rest.description import Description
from engine.adapters.brokers.rest.loading import EXAMPLE_FILE, BadDescription, load_description
from engine.adapters.brokers.rest.trial import Finding, try_out
from engine.adapters.clock.system import SystemClock
from engine.domain.venue_accounts import Mode
from engine.errors import ConfigError

__all__ = [
    "BadDescription", "Description", "Finding", "example_text", "read_described", "try_described",
]  # fmt: skip


def example_text() -> str:
    """The example that comes with Quarterdeck."""
    return EXAMPLE_FILE.read_text("utf-8")


def read_described(path: Path) -> Description:
    """A description from a file. Raises BadDescription, ConfigError."""
    return load_description(path)


def try_described(
    description: Description, mode: Mode, secrets: Mapping[str, str], symbol: str
) -> Iterator[Finding]:
    """What becomes of each question that changes nothing. Raises ConfigError for a mode without
    an address."""
    address = description.address(mode.value)
    if address is None:
        raise ConfigError(f"The description has no address for {mode.value}.", field="mode")
    parts = opened(description, address, secrets, SystemClock(), "check", "check")
    try:
        yield from try_out(*parts, has_secrets=bool(secrets), symbol=symbol)
    finally:
        parts[0].close()
