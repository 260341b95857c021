"""Accounts at venues, and the books that paper venues keep."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.orders import OrderReport, OrderRequest
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
        BrokerUnavailable (surely not sent), OrderStateUnknown (anything else)."""
        ...

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """Cancel what is left; an order already done is reported as it is. Raises NotFound."""
        ...

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """The order as the venue knows it now (resting orders are matched up to now first)."""
        ...

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All orders still working."""
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

    def commit(
        self, account_id: str, balances: Mapping[str, PaperBalance], *orders: PaperOrder
    ) -> None:
        """Write balances and orders in one transaction (insert or replace)."""
        ...
