"""The adapter that others are copied from: it has to keep the same promises."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.adapters.brokers.venues._template import ADAPTER
from engine.adapters.brokers.venues._template_service import SYMBOL, Service, connect
from engine.domain.venue_accounts import Mode
from engine.errors import AccessDenied, BrokerUnavailable, OrderRejected, OrderStateUnknown
from engine.ports import AccountAccess, VenueConnection
from tests.contract.all_venues import MakeVenue, Trouble, buy
from tests.contract.brokers import Venue
from tests.contract.market_subject import Subject
from tests.fakes.clock import FakeClock


@dataclass(kw_only=True)
class TemplateVenue(Venue):
    """The venue with the service behind it."""

    service: Service


def template_venue(folder: Path) -> Venue:
    """An account of its own at the venue in memory."""
    clock, key = FakeClock(), str(folder)

    def opened() -> VenueConnection:
        return ADAPTER.open(
            AccountAccess(
                "test:template", "account:template", Mode.TEST, ADAPTER.check_options({}),
                {"key": key}, clock,
            )
        )  # fmt: skip

    def step() -> None:
        clock.advance(60)

    connection = opened()
    return TemplateVenue(
        connection.broker, connection.market, SYMBOL, step,
        lambda: opened().broker, service=connect(key, clock),
    )  # fmt: skip


def _set(name: str, value: object) -> Callable[[Venue], None]:
    def begin(venue: Venue) -> None:
        assert isinstance(venue, TemplateVenue)
        setattr(venue.service, name, value)

    return begin


VENUES: dict[str, MakeVenue] = {"template": template_venue}
TROUBLES = {
    "template": (
        Trouble("revoked", _set("is_revoked", True), AccessDenied, "revoked"),
        Trouble("down", _set("is_down", True), BrokerUnavailable, "no route"),
        Trouble("refused", _set("failure", "closed"), OrderRejected, "it failed: closed", buy),
        Trouble("doubt", _set("failure", "busy"), OrderStateUnknown, "did not say", buy),
    )
}


@contextmanager
def template_market(folder: Path) -> Iterator[Subject]:
    """Its prices."""
    venue = template_venue(folder)
    yield Subject(venue.market, venue.symbol, "1m")
    venue.close()


MARKETS = {"template": template_market}
