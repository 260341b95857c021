"""Every broker that the contract suite runs over, and what can go wrong with each."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.contract import brokers, venues
from tests.contract.brokers import Venue

MakeVenue = Callable[[Path], Venue]


def ask_balances(venue: Venue) -> object:
    """The simplest question that needs a key."""
    return venue.broker.balances()


def buy(venue: Venue) -> object:
    """The simplest order."""
    return venue.buy()


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong at a venue: ``begin`` has it answer so, ``act`` meets it, and the
    broker raises ``error`` with a sentence that matches ``words``."""

    name: str
    begin: Callable[[Venue], object]
    error: type[Exception]
    words: str
    act: Callable[[Venue], object] = ask_balances


VENUES: dict[str, MakeVenue] = dict(brokers.VENUES)
OCO_VENUES: dict[str, MakeVenue] = dict(brokers.OCO_VENUES)
TROUBLES: dict[str, tuple[MakeVenue, Trouble]] = {}
"""By 'venue-trouble'."""


def _collect() -> None:
    for module in pkgutil.iter_modules(venues.__path__):
        found = importlib.import_module(f"{venues.__name__}.{module.name}")
        own: Mapping[str, MakeVenue] = getattr(found, "VENUES", {})
        VENUES.update(own)
        OCO_VENUES.update(getattr(found, "OCO_VENUES", {}))
        troubles: Mapping[str, Sequence[Trouble]] = getattr(found, "TROUBLES", {})
        for name, listed in troubles.items():
            for trouble in listed:
                TROUBLES[f"{name}-{trouble.name}"] = (own[name], trouble)


_collect()
