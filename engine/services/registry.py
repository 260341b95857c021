"""The markets and brokers there are, built from factories on first use and kept while in use."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import NotFound
from engine.ports import Broker, MarketData

MarketFactory = Callable[[str], MarketData]
BrokerFactory = Callable[[str, MarketData], Broker]
PAPER = "paper"


@dataclass(frozen=True)
class MarketKind:
    """How markets whose id begins with a prefix are made, which of them are offered, and the kind
    of account that trades there; ``account_of`` where the account's id does not follow from that.
    """

    make: MarketFactory
    offered: Callable[[], Sequence[str]]
    is_stepped: bool = False
    account_kind: str = PAPER
    account_of: Callable[[str], str] | None = None


class VenueRegistry:
    """Implements ``ports.Venues`` over a table of market kinds and one of brokers by the kind of
    account, which its id begins with; used from many threads."""

    def __init__(
        self, kinds: Mapping[str, MarketKind], brokers: Mapping[str, BrokerFactory]
    ) -> None:
        self._kinds = kinds
        self._broker_kinds = brokers
        self._markets: dict[tuple[str, str], MarketData] = {}
        self._brokers: dict[str, Broker] = {}
        self._lock = threading.RLock()
        self._generation = 0

    def market_ids(self) -> Sequence[str]:
        """Markets offered in the form, in the order of the table."""
        return [market_id for kind in self._kinds.values() for market_id in kind.offered()]

    def market(self, market_id: str, bot_id: str | None = None) -> MarketData:
        """The market. A replay is one instance a bot. Raises NotFound, ConfigError."""
        kind = self._kind(market_id)
        key = (market_id, (bot_id or "") if kind.is_stepped else "")
        with self._lock:
            market, generation = self._markets.get(key), self._generation
        if market is None:
            made = kind.make(market_id)  # reads a file of any size: nobody else waits for it
            with self._lock:
                if generation != self._generation:
                    return made  # what it was made from may have been replaced: not kept
                market = self._markets.setdefault(key, made)
        return market

    def is_stepped(self, market_id: str) -> bool:
        """Whether each bot moves the time of an instance of its own."""
        return self._kind(market_id).is_stepped

    def broker(self, account_id: str, market: MarketData) -> Broker:
        """The account's broker over ``market``. Raises NotFound."""
        with self._lock:
            broker = self._brokers.get(account_id)
            if broker is None:
                make = self._broker_kinds.get(account_id.partition(":")[0])
                if make is None:
                    raise NotFound(f"There is no account '{account_id}'.", field="account")
                broker = make(account_id, market)
                self._brokers[account_id] = broker
            return broker

    def account_of(self, market_id: str, bot_id: str) -> str:
        """One account a market; a replay's bot has one of its own."""
        kind = self._kind(market_id)
        if kind.is_stepped:
            return f"{PAPER}:replay:{bot_id}"
        if kind.account_of is not None:
            return kind.account_of(market_id)
        name = market_id if kind.account_kind == PAPER else market_id.partition(":")[2]
        return f"{kind.account_kind}:{name}"

    def forget(self, bot_id: str) -> None:
        """Drop a stopped bot's own instances."""
        with self._lock:
            for key in [key for key in self._markets if key[1] == bot_id]:
                del self._markets[key]
            self._brokers.pop(f"{PAPER}:replay:{bot_id}", None)

    def renew(self, market_ids: Collection[str], account_id: str) -> None:
        """Make these markets and this account's broker anew when they are next asked for."""
        with self._lock:
            self._generation += 1
            for key in [key for key in self._markets if key[0] in market_ids]:
                del self._markets[key]
            self._brokers.pop(account_id, None)

    def _kind(self, market_id: str) -> MarketKind:
        kind = self._kinds.get(market_id.partition(":")[0])
        if kind is None:
            known = ", ".join(self._kinds)
            raise NotFound(f"There is no market '{market_id}'; there are {known}.", field="market")
        return kind
