"""What each account has of each asset, and whose it is."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from engine.domain.accounts import HOUSE, add_up
from engine.domain.money import ZERO
from engine.domain.orders import Order, Purpose
from engine.domain.positions import PositionSide
from engine.errors import NotFound
from engine.services.books import Books
from engine.services.instrument_book import InstrumentBook


class AssetState(BaseModel):
    """One asset of an account. ``books`` = owned + reserved + dust + unassigned; ``venue`` is
    what the venue held at the last check, None when it has not told. ``owners``: bots' ids."""

    model_config = ConfigDict(frozen=True)

    asset: str
    books: Decimal
    venue: Decimal | None
    owned: Decimal = ZERO
    owners: tuple[str, ...] = ()
    reserved: Decimal = ZERO
    dust: Decimal = ZERO

    @property
    def unassigned(self) -> Decimal:
        """What is nobody's."""
        return self.books - self.owned - self.reserved - self.dust


class AccountLedger:
    """Reads the books, and remembers both sides as they were when an account was checked; asks
    no venue."""

    def __init__(self, books: Books, instruments: InstrumentBook) -> None:
        self._books = books
        self._instruments = instruments
        self._seen: dict[str, list[AssetState]] = {}

    def account_ids(self) -> list[str]:
        """Accounts that bots trade with, in order."""
        return sorted({bot.account_id for bot in list(self._books.bots.values())})

    def take(self, account_id: str, venue: Mapping[str, Decimal]) -> None:
        """Remember both sides of this moment."""
        self._seen[account_id] = self._assets(account_id, venue)

    def assets(self, account_id: str) -> list[AssetState]:
        """Every asset that the books or the venue have, or bots own, in order: as of the last
        check; before the first one what the books say now."""
        return self._seen.get(account_id) or self._assets(account_id, None)

    def _assets(self, account_id: str, venue: Mapping[str, Decimal] | None) -> list[AssetState]:
        totals = self._books.totals.get(account_id, {})
        owned, owners = self._owned(account_id)
        reserved, dust = self._reserved(account_id), self._dust(account_id)
        names = {asset for asset, amount in totals.items() if amount}
        names |= set(venue or {}) | set(owned) | set(reserved)
        return [
            AssetState(
                asset=asset,
                books=totals.get(asset, ZERO),
                venue=None if venue is None else venue.get(asset, ZERO),
                owned=owned.get(asset, ZERO),
                owners=tuple(sorted(owners.get(asset, ()))),
                reserved=reserved.get(asset, ZERO),
                dust=dust.get(asset, ZERO),
            )
            for asset in sorted(names)
        ]

    def free_cash(self, account_id: str, asset: str) -> Decimal | None:
        """What new entries may use of an asset: all of it less what working entries have
        reserved. None for an account that was never reconciled."""
        account = self._books.accounts.get(account_id)
        if account is None or account.trades_until is None:
            return None
        total = self._books.totals.get(account_id, {}).get(asset, ZERO)
        return total - self._reserved(account_id).get(asset, ZERO)

    # --- parts ----------------------------------------------------------------------------------

    def _bases(self, account_id: str) -> Callable[[str], str]:
        """The base asset of a symbol traded on the account; works with the venue down."""
        known: dict[str, str] = {}
        for bot in list(self._books.bots.values()):
            if bot.account_id == account_id and bot.symbol not in known:
                try:
                    known[bot.symbol] = self._instruments.of(bot).base
                except NotFound:
                    continue  # never checked by its market, so never traded
        return lambda symbol: known.get(symbol) or symbol.partition("/")[0]

    def _owned(self, account_id: str) -> tuple[dict[str, Decimal], dict[str, set[str]]]:
        """What bots own of each base asset, shorts taken off, and which bots."""
        base_of = self._bases(account_id)
        owned: dict[str, Decimal] = {}
        owners: dict[str, set[str]] = {}
        for one in list(self._books.positions.values()):
            if one.account_id == account_id:
                base, sign = base_of(one.symbol), 1 if one.side is PositionSide.LONG else -1
                owned[base] = owned.get(base, ZERO) + sign * one.quantity
                owners.setdefault(base, set()).add(one.bot_id)
        return owned, owners

    def _reserved(self, account_id: str) -> dict[str, Decimal]:
        """Quote that working entries may still spend; a short counts like a purchase."""
        return add_up(
            {self._quote(order): _still_needs(order)}
            for orders in list(self._books.working.values())
            for order in orders.values()
            if order.account_id == account_id and order.purpose is Purpose.ENTRY
            and order.bot_id != HOUSE
        )  # fmt: skip

    def _quote(self, order: Order) -> str:
        bot = self._books.bots.get(order.bot_id)
        try:
            return self._instruments.of(bot).quote if bot else order.symbol.partition("/")[2]
        except NotFound:
            return order.symbol.partition("/")[2]

    def _dust(self, account_id: str) -> dict[str, Decimal]:
        """What closed positions have left on the account."""
        base_of = self._bases(account_id)
        with self._books.store.reading() as tx:
            rows = tx.positions.values("symbol", "dust", account_id=account_id, is_open=False)
        return add_up({base_of(symbol): dust} for symbol, dust in rows if dust)


def _still_needs(order: Order) -> Decimal:
    """What an entry may spend beside what it has filled; zero where only the market knows."""
    price = order.price or order.stop_price
    if order.quote_amount is not None and order.quantity is None:
        return order.quote_amount
    if order.quantity is None or price is None:
        return order.quote_amount or ZERO
    return (order.left or ZERO) * price
