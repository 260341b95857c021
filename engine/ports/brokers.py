"""Accounts at venues, and the books that paper venues keep."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.accounts import Flow
from engine.domain.orders import (
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from engine.domain.records import PaperBalance


class BrokerCapabilities(BaseModel):
    """What a venue does by itself."""

    model_config = ConfigDict(frozen=True)

    is_paper: bool = False
    is_idempotent: bool = Field(
        default=False, description="a client id sent twice is one order, for ever"
    )
    has_quote_amount: bool = False
    has_shorting: bool = False
    fee_bps: Decimal = Field(default=Decimal(10), description="taker fee, for previews")
    quiet_period_s: float = Field(
        default=30.0, description="how long an order that may be under way can still turn up"
    )
    order_types: frozenset[OrderType] = frozenset(OrderType)
    times_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.GTC})
    has_oco: bool = Field(default=False, description="takes two orders of which one ends the other")
    rests_protection: bool = Field(
        default=False,
        description="stops and targets rest at the venue, where they work with the engine down",
    )
    reduces_below_minimum: bool = Field(
        default=False, description="an order that only reduces may be smaller than the minimums"
    )
    caps_reducing: bool = Field(
        default=False, description="never lets an order that only reduces exceed what is held"
    )
    poll_every_s: float = Field(
        default=0.0,
        description="how often all working orders are listed in one call; 0: asked for one by one",
    )
    has_exact_cash: bool = Field(
        default=True,
        description="cash moves by what trades, fees and listed flows say, exactly; False: it is "
        "settled, lent, charged or converted otherwise, and positions alone are compared",
    )
    fee_bps_maker: Decimal | None = Field(default=None, description="None: as for takers")


class Balance(BaseModel):
    """What an account holds of one asset."""

    model_config = ConfigDict(frozen=True)

    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        """Free and locked together."""
        return self.free + self.locked


class Broker(Protocol):
    """One account at one venue."""

    account_id: str
    capabilities: BrokerCapabilities

    def balances(self) -> Mapping[str, Balance]:
        """By asset. Raises BrokerUnavailable."""
        ...

    def submit(self, request: OrderRequest) -> OrderReport:
        """Send one order. Raises InsufficientFunds or OrderRejected (refused for certain),
        AccessDenied, BrokerUnavailable (surely not sent), OrderStateUnknown (anything else)."""
        ...

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Send a limit and a stop of which one ends the other: (limit's, stop's) report.

        Both are taken or none. Raises like ``submit``; OrderRejected without ``has_oco``.
        """
        ...

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; an order already done is reported as it is. Raises NotFound."""
        ...

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order as the venue knows it now (resting orders are matched up to now first)."""
        ...

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working, whoever placed them. Raises BrokerUnavailable."""
        ...

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """The account's trades in a symbol at or after ``since``, whoever ordered them, oldest
        first. Raises BrokerUnavailable."""
        ...

    def flows(self, since: datetime) -> Sequence[Flow]:
        """Funding, interest, deposits and withdrawals that the venue lists; empty where it has
        no such list. Raises BrokerUnavailable."""
        ...


class OrderListener(Protocol):
    """Who wants to hear from a venue; called from a thread of the adapter's."""

    def on_report(self, report: OrderReport) -> None:
        """An order changed; ``fills`` may hold only the newest."""
        ...

    def on_connected(self) -> None:
        """The stream is there (again): whatever was missed meanwhile must be asked for."""
        ...

    def on_disconnected(self, reason: str) -> None:
        """Nothing is heard until it is back."""
        ...


@runtime_checkable
class StreamingBroker(Broker, Protocol):
    """A broker that tells of changes by itself. What it tells is a hint that makes things faster;
    asking stays the truth."""

    def listen(self, listener: OrderListener) -> Callable[[], None]:
        """Begin; the answer ends it. Reconnects by itself."""
        ...


class PaperOrder(BaseModel):
    """An order in a paper venue's own book."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    request: OrderRequest
    report: OrderReport
    locked_asset: str = ""
    locked_amount: Decimal = Decimal(0)
    matched_until: datetime | None = None
    is_triggered: bool = False


class PaperBook(Protocol):
    """The durable books of paper venues, apart from the engine's own."""

    def balances(self, account_id: str) -> dict[str, PaperBalance] | None:
        """None for an account that was never opened."""
        ...

    def find_order(self, account_id: str, client_id: str) -> PaperOrder | None:
        """One order."""
        ...

    def open_orders(self, account_id: str) -> Sequence[PaperOrder]:
        """Orders still working, oldest first."""
        ...

    def traded_orders(self, account_id: str, symbol: str, since: datetime) -> Sequence[PaperOrder]:
        """Orders with a fill at or after ``since``, oldest first; no others are read."""
        ...

    def commit(
        self, account_id: str, balances: Mapping[str, PaperBalance], *orders: PaperOrder
    ) -> None:
        """Write balances and orders in one transaction (insert or replace)."""
        ...
