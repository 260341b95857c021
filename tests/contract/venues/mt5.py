"""MetaTrader 5 for the contract suite: netting and hedging accounts, here and through a gateway."""

from collections.abc import Sequence
from pathlib import Path

from engine.adapters.brokers.mt5.remote import RemoteTerminal
from tests.contract.all_venues import MakeVenue, Trouble
from tests.contract.mt5_venue import (
    TIMEOUT_S,
    TOKEN,
    SuiteVenue,
    gateway,
    local,
    opened,
    suite_venue,
)
from tests.fakes.clock import FakeClock
from tests.fakes.metatrader5 import stocked


def netting(folder: Path) -> SuiteVenue:
    """A netting account at a terminal of this machine."""
    return suite_venue(local())


def hedging(folder: Path) -> SuiteVenue:
    """A hedging account at a terminal of this machine."""
    return suite_venue(local(is_hedging=True))


def lent(folder: Path) -> SuiteVenue:
    """A netting account at a terminal that a gateway lends, over TLS."""
    clock = FakeClock()
    stand_in = stocked(clock.now)
    running = gateway(stand_in, folder)
    found = running.__enter__()
    terminal = RemoteTerminal(found.url, TOKEN, ca_file=found.ca_file, timeout_s=TIMEOUT_S)
    venue = opened(stand_in, clock, terminal)

    def close() -> None:
        terminal.close()
        running.__exit__(None, None, None)

    return suite_venue(venue, close=close)


VENUES: dict[str, MakeVenue] = {"mt5-netting": netting, "mt5-hedging": hedging, "mt5-gateway": lent}
TROUBLES: dict[str, Sequence[Trouble]] = {}
