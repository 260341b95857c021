"""Symbols that are pushed as instruments: by the rules that were told, else by their names."""

from decimal import Decimal

from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import ONE, plain
from engine.domain.pushed import PushedPrice, TradeMode

COINS = frozenset({"BTC", "ETH", "XRP", "LTC", "BCH", "ADA", "DOT", "SOL", "DOGE", "BNB", "XLM"})
PATHS = (
    (InstrumentKind.CRYPTO, ("crypto", "coin", "digital")),
    (InstrumentKind.STOCK, ("stock", "share", "equit", "etf")),
)
PAIR_LETTERS = 6
COIN_STEP, ODD_LOT = Decimal("0.00001"), Decimal("0.01")
"""Steps of quantity of symbols whose rules were never told."""


def instrument_of(price: PushedPrice, currency: str) -> Instrument:
    """What is known of a symbol as an instrument; ``currency`` of the account, '' if unknown.

    Without facts a symbol of six letters is a pair, and its tick follows from the decimals seen.
    See ADR 0016 for the base of what is not quoted in the account's currency.
    """
    facts = price.facts
    if facts is None:
        return _guessed(price)
    is_pair = price.symbol.startswith(f"{facts.base}{facts.profit}") and facts.base != facts.profit
    return Instrument(
        symbol=price.symbol,
        kind=_kind_of(facts.base, facts.path),
        base=facts.base if is_pair and facts.profit == currency else price.symbol,
        quote=facts.profit,
        price_tick=plain(facts.tick_size or facts.point),
        quantity_step=plain(facts.lot_step * facts.contract_size),
        min_quantity=plain(facts.lot_min * facts.contract_size),
        max_quantity=plain(facts.lot_max * facts.contract_size),
        can_short=facts.trade_mode in (TradeMode.FULL, TradeMode.SHORT_ONLY),
    )


def _guessed(price: PushedPrice) -> Instrument:
    letters = price.symbol[:PAIR_LETTERS]
    tick = Decimal(1).scaleb(-price.digits)
    if len(letters) < PAIR_LETTERS or not (letters.isalpha() and letters.isupper()):
        return Instrument(
            symbol=price.symbol, kind=InstrumentKind.FOREX, base=price.symbol, quote="USD",
            price_tick=tick, quantity_step=ODD_LOT, min_quantity=ODD_LOT, can_short=True,
        )  # fmt: skip
    kind = _kind_of(letters[:3], "")
    step = COIN_STEP if kind is InstrumentKind.CRYPTO else ONE
    return Instrument(
        symbol=price.symbol, kind=kind, base=letters[:3], quote=letters[3:],
        price_tick=tick, quantity_step=step, min_quantity=step, can_short=True,
    )  # fmt: skip


def _kind_of(base: str, path: str) -> InstrumentKind:
    if base in COINS:
        return InstrumentKind.CRYPTO
    for kind, marks in PATHS:
        if any(mark in path.lower() for mark in marks):
            return kind
    return InstrumentKind.FOREX
