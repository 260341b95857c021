"""A paper account over a market set by hand, and short words to trade on it."""

from decimal import Decimal
from typing import Any

from engine.adapters.brokers.paper import PaperBroker
from engine.domain.orders import OrderReport, OrderRequest, Side
from tests.fakes.market import FakeMarket
from tests.fakes.paper_book import FakePaperBook

D = Decimal


class PaperDesk:
    """A broker over a hand-set market, without slippage unless asked for."""

    def __init__(self, **terms: Decimal) -> None:
        self.market = FakeMarket()
        self.market.set_price("BTC/USDT", "100")
        self.market.set_price("ETH/USDT", "100")
        self.book = FakePaperBook()
        terms = {"opening_balance": D(1000), "slippage_bps": D(0), "volume_cap": D("0.25"), **terms}
        self.terms = terms
        self.broker = PaperBroker("paper:x", self.market, self.book, **terms)

    def send(
        self,
        client_id: str,
        side: Side,
        quantity: str | None = None,
        price: str | None = None,
        **fields: Any,
    ) -> OrderReport:
        """One order of BTC/USDT, unless another symbol is named."""
        fields = {"symbol": "BTC/USDT"} | fields
        return self.broker.submit(
            OrderRequest(
                client_id=client_id,
                side=side,
                quantity=D(quantity) if quantity else None,
                price=D(price) if price else None,
                **fields,
            )
        )

    def found(self, client_id: str) -> OrderReport:
        """The order as it stands. Fails when there is none."""
        report = self.broker.find_order(client_id, "BTC/USDT")
        assert report is not None
        return report

    def money(self) -> Decimal:
        """All quote, free and locked."""
        return self.broker.balances()["USDT"].total

    def reopen(self, market: FakeMarket) -> None:
        """The same account after a restart, over a market that knows nothing of before."""
        self.market = market
        self.broker = PaperBroker("paper:x", market, self.book, **self.terms)
