"""The markets and brokers there are."""

from collections.abc import Sequence
from typing import Protocol

from engine.ports.brokers import Broker
from engine.ports.market_data import MarketData


class Venues(Protocol):
    """The markets and brokers there are, by id; built once, kept while in use."""

    def market_ids(self) -> Sequence[str]:
        """Markets offered in the form: ``simulated``, ``ccxt:binance``, replays found in data/."""
        ...

    def market(self, market_id: str, bot_id: str | None = None) -> MarketData:
        """The market. A replay is one instance a bot. Raises NotFound, ConfigError."""
        ...

    def is_stepped(self, market_id: str) -> bool:
        """Whether each bot moves the time of an instance of its own: a replay."""
        ...

    def broker(self, account_id: str, market: MarketData) -> Broker:
        """The account's broker over ``market``. Raises NotFound."""
        ...

    def account_of(self, market_id: str, bot_id: str) -> str:
        """The account a new bot on ``market_id`` trades with."""
        ...

    def forget(self, bot_id: str) -> None:
        """Drop a stopped bot's own instances."""
        ...
