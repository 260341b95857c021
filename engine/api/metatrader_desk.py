"""What Expert Advisors and people's scripts push, and what is told of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine import __version__
from engine.contracts.bridge import (
    AdvisorHealth,
    BridgeHealth,
    BridgeStatistics,
    DecisionCount,
    ExecutionKept,
    OrderCount,
    SignalKept,
    SourceCount,
    SymbolCount,
)
from engine.contracts.metatrader import ExecutionSignal, PriceSignal
from engine.domain.mailbox import ENDS
from engine.domain.pushed import Terminal
from engine.services.advisor_orders import AdvisorOrders, Offer
from engine.services.bridge_figures import BridgeReader
from engine.services.take_prices import Envelope, PriceTaker


class MetaTraderServices(Protocol):
    """The bridge to MetaTrader."""

    def take_prices(self, signal: PriceSignal, envelope: Envelope) -> SignalKept:
        """Raises ConfigError naming the field, StoreError when nothing was kept."""
        ...

    def take_report(self, signal: ExecutionSignal, envelope: Envelope) -> ExecutionKept:
        """Raises NotFound for an order of nobody's, StoreError when nothing was kept."""
        ...

    def offers(self, account: str, magic: str) -> Sequence[Offer]:
        """What an advisor is to do now."""
        ...

    def health(self) -> BridgeHealth:
        """Who was heard when."""
        ...

    def statistics(self) -> BridgeStatistics:
        """What came and what became of it."""
        ...


@dataclass(frozen=True)
class MetaTraderDesk:
    """Implements ``MetaTraderServices``."""

    prices: PriceTaker
    orders: AdvisorOrders
    reader: BridgeReader

    def take_prices(self, signal: PriceSignal, envelope: Envelope) -> SignalKept:
        """Keep prices."""
        taken = self.prices.take(signal.message(self.reader.now()), envelope)
        return SignalKept(
            id=taken.signal_id, is_copy=taken.is_copy, market=taken.market, bar=taken.bar,
            wants_bars=taken.wants_bars,
        )  # fmt: skip

    def take_report(self, signal: ExecutionSignal, envelope: Envelope) -> ExecutionKept:
        """Book what became of an order."""
        kept = self.orders.take_report(signal.message(), envelope)
        return ExecutionKept(id=kept.signal_id, is_copy=kept.is_copy)

    def offers(self, account: str, magic: str) -> Sequence[Offer]:
        """What an advisor is to do now."""
        return self.orders.offers(account, magic)

    def health(self) -> BridgeHealth:
        """Who was heard when."""
        advisors = tuple(self._health_of(terminal) for terminal in self.reader.terminals())
        is_silent = any(advisor.is_silent for advisor in advisors)
        return BridgeHealth(
            status="silent" if is_silent else "ok", time=self.reader.now(), version=__version__,
            advisors=advisors,
        )  # fmt: skip

    def _health_of(self, terminal: Terminal) -> AdvisorHealth:
        state = terminal.state
        may_trade = state is not None and state.may_trade
        return AdvisorHealth(
            account=terminal.account, server=terminal.server, source=terminal.source,
            seen_at=terminal.seen_at,
            age_s=(self.reader.now() - terminal.seen_at).total_seconds(),
            is_silent=self.reader.is_silent(terminal.seen_at),
            executes=may_trade and not self.reader.is_silent(terminal.polled_at),
            is_demo=state.is_demo if state else None,
        )  # fmt: skip

    def statistics(self) -> BridgeStatistics:
        """What came and what became of it."""
        figures = self.reader.figures()
        accounts = sorted({account for account, _end in figures.orders})
        return BridgeStatistics(
            time=figures.time,
            signals=tuple(
                SourceCount(
                    source=one.key[0], sender=one.key[1], kind=one.key[2],
                    last_hour=one.last_hour, last_day=one.last_day,
                    refused=figures.refused.get(one.key[1], 0),
                )
                for one in figures.signals
            ),
            symbols=tuple(
                SymbolCount(
                    account=price.account, symbol=price.symbol, timeframes=price.timeframes,
                    received=price.received, seen_at=price.received_at, bid=price.bid,
                    ask=price.ask, indicators=price.indicators,
                )
                for price in figures.prices
            ),
            orders=tuple(
                OrderCount.model_validate(
                    {"account": account, "open": figures.orders.get((account, ""), 0)}
                    | {end: figures.orders.get((account, end), 0) for end in ENDS}
                )
                for account in accounts
            ),
            decisions=tuple(
                DecisionCount(state=one.key[0], last_hour=one.last_hour, last_day=one.last_day)
                for one in figures.advice
            ),
        )  # fmt: skip
