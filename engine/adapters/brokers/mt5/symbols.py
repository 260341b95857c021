"""What is traded: MetaTrader's symbols and lots as instruments and units of their base."""

from dataclasses import dataclass
from decimal import Decimal

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5.reading import (
    Row,
    Unreadable,
    amount,
    flag,
    positive,
    remark,
    whole,
    words,
)
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import plain

WORDS_OF_KINDS = (
    (InstrumentKind.CRYPTO, ("crypto", "coin", "digital")),
    (InstrumentKind.STOCK, ("stock", "share", "equit", "etf")),
)
COINS = frozenset({"BTC", "ETH", "XRP", "LTC", "BCH", "ADA", "DOT", "SOL", "DOGE", "BNB", "XLM"})


@dataclass(frozen=True)
class Listing:
    """A symbol with what orders of it have to heed. ``contract`` is units of base in a lot."""

    instrument: Instrument
    contract: Decimal
    digits: int
    point: Decimal
    execution: int
    filling: int
    trade_mode: int

    def units(self, lots: Decimal) -> Decimal:
        """Lots as units of base."""
        return plain(lots * self.contract)

    def lots(self, units: Decimal) -> float:
        """Units as lots, which the package takes as a double; they are on the step."""
        return float(plain(units / self.contract))

    @property
    def filling_at_once(self) -> int:
        """How an order that trades at once is to be filled: what there is, if that is allowed."""
        if self.execution in (codes.REQUEST, codes.INSTANT):
            return codes.FILL_FOK
        if self.filling & codes.MAY_IOC:
            return codes.FILL_IOC
        if self.filling & codes.MAY_FOK:
            return codes.FILL_FOK
        return codes.FILL_RETURN


def listing(source: Row, account_currency: str, suffix: str) -> Listing:
    """A symbol of ``symbol_info``. Raises Unreadable, pydantic's ValidationError.

    ``suffix`` is what the broker puts behind the names of pairs ('.r'). See ADR 0016 for bases.
    """
    name = words(source, "name")
    digits = whole(source, "digits")
    contract = positive(source, "trade_contract_size")
    step = positive(source, "volume_step")
    trade_mode = whole(source, "trade_mode")
    point = positive(source, "point", max(digits, 1) + 3)
    tick = amount(source, "trade_tick_size", digits + 3) or point
    return Listing(
        instrument=Instrument(
            symbol=name,
            name=remark(source, "description"),
            kind=_kind(source),
            base=_base(source, name, account_currency, suffix),
            quote=words(source, "currency_profit"),
            price_tick=tick,
            quantity_step=plain(step * contract),
            min_quantity=plain(positive(source, "volume_min") * contract),
            max_quantity=plain(positive(source, "volume_max") * contract),
            can_short=trade_mode in (codes.FULL, codes.SHORT_ONLY),
        ),
        contract=contract,
        digits=digits,
        point=point,
        execution=whole(source, "trade_exemode"),
        filling=whole(source, "filling_mode"),
        trade_mode=trade_mode,
    )


def is_offered(source: Row) -> bool:
    """Whether a symbol is shown in Market Watch and can be traded."""
    return flag(source, "visible") and whole(source, "trade_mode") != codes.TRADE_DISABLED


def tick_times(source: Row) -> int:
    """When a tick was, by the server's clock, in milliseconds. Raises Unreadable."""
    told = whole(source, "time_msc")
    if not told:
        raise Unreadable("there is no price yet")
    return told


def _base(source: Row, name: str, account_currency: str, suffix: str) -> str:
    """The currency, for the one pair of it that is quoted in the account's own; the symbol itself
    for everything else: each position is a balance of its own, and none is cash."""
    base, quote = words(source, "currency_base"), words(source, "currency_profit")
    is_pair = name == f"{base}{quote}{suffix}" and base != quote
    return base if is_pair and quote == account_currency else name


def _kind(source: Row) -> InstrumentKind:
    mode = whole(source, "trade_calc_mode")
    if mode in codes.STOCK_MODES:
        return InstrumentKind.STOCK
    path = remark(source, "path").lower()
    if words(source, "currency_base") in COINS:
        return InstrumentKind.CRYPTO
    if mode not in codes.FOREX_MODES:
        for kind, marks in WORDS_OF_KINDS:
            if any(mark in path for mark in marks):
                return kind
    return InstrumentKind.FOREX
