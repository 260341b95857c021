"""One market and one broker behind the ``Venues`` port."""

from collections.abc import Sequence

from engine.ports import Broker, MarketData


class FakeVenues:
    """Every market id is ``market``, every account ``paper``."""

    def __init__(self, market: MarketData, broker: Broker) -> None:
        self.only_market = market
        self.only_broker = broker
        self.forgotten: list[str] = []

    def market_ids(self) -> Sequence[str]:
        """The one."""
        return [self.only_market.market_id]

    def market(self, market_id: str, bot_id: str | None = None) -> MarketData:
        """The one."""
        return self.only_market

    def is_stepped(self, market_id: str) -> bool:
        """Never."""
        return False

    def broker(self, account_id: str, market: MarketData) -> Broker:
        """The one."""
        return self.only_broker

    def account_of(self, market_id: str, bot_id: str) -> str:
        """The one broker's."""
        return self.only_broker.account_id

    def forget(self, bot_id: str) -> None:
        """Only remembered."""
        self.forgotten.append(bot_id)
