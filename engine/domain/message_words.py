"""The words of signals from outside: what fields, actions and quantities may be called."""

import re
from collections.abc import Iterable
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

from engine.domain.positions import PositionSide
from engine.domain.signals import QuantityKind, SignalAction

T = TypeVar("T")
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
SHOWN = 60


class MessageError(ValueError):
    """A message that cannot be understood; says what is wrong and what to write instead."""


def shown(text: object) -> str:
    """Somebody's text for a sentence: one short line of printable characters."""
    line = "".join(c if c.isprintable() else "?" for c in str(text)[: SHOWN + 1])
    return f"'{line[:SHOWN]}…'" if len(line) > SHOWN else f"'{line}'"


@lru_cache(maxsize=512)
def spelled(name: str) -> str:
    """A name without case and punctuation: ``Stop-Loss`` and ``stop_loss`` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


# A field to its spellings, one object within another joined by a point: our own names, those of
# TradingView's placeholders, and those that scripts for webhooks commonly use.
_SPELLINGS = {
    "action": "action signal order order_action strategy.order.action order.action command cmd",
    "side": "side direction position_side order_side order.side",
    "symbol": "symbol ticker pair instrument syminfo.ticker order.symbol",
    "quantity": "quantity qty size units lots order_qty order_size order.qty order.quantity "
    "order.size",
    "contracts": "contracts order_contracts strategy.order.contracts order.contracts",
    "quantity_kind": "quantity_kind quantity_type qty_type size_type",
    "amount": "amount notional quote_quantity quote_qty quote_amount order_amount",
    "percent": "percent percentage quantity_percent qty_percent size_percent",
    "percent_of_equity": "percent_of_equity equity_percent",
    "percent_of_position": "percent_of_position position_percent close_percent",
    "price": "price order_price strategy.order.price order.price close bar.close",
    "stop": "stop sl stop_loss stop_price stop_loss_price stop_loss.price stop_loss.stop_price",
    "stop_percent": "stop_percent sl_percent stop_loss_percent stop_loss.percent",
    "target": "target tp take_profit target_price take_profit_price take_profit.price "
    "take_profit.limit_price",
    "target_percent": "target_percent tp_percent take_profit_percent take_profit.percent",
    "expected": "expected expected_position",
    "market_position": "market_position strategy.market_position",
    "market_size": "market_position_size strategy.market_position_size",
    "previous": "prev_market_position strategy.prev_market_position",
    "previous_size": "prev_market_position_size strategy.prev_market_position_size",
    "signed_size": "position_size strategy.position_size",
    "sent_at": "timenow sent_at timestamp",
    "id": "id signal_id alert_id message_id event_id uuid",
    "order_id": "order_id strategy.order.id order.id",
    "comment": "comment order_comment strategy.order.comment note message alert_message "
    "strategy.order.alert_message",
}
FIELDS = MappingProxyType(
    {spelled(one): field for field, names in _SPELLINGS.items() for one in names.split()}
)

# Fields of which a message may tell more than one; the first spelling above is the better one.
RANKED = frozenset({"price", "sent_at", "comment"})
RANKS = MappingProxyType(
    {spelled(one): rank for names in _SPELLINGS.values() for rank, one in enumerate(names.split())}
)

ACTIONS = MappingProxyType(
    {
        word: action
        for action, words in {
            SignalAction.OPEN: "open enter entry",
            SignalAction.ADD: "add increase pyramid",
            SignalAction.CLOSE: "close exit reduce trim",
            SignalAction.REVERSE: "reverse flip",
            SignalAction.FLAT: "flat flatten closeall exitall",
        }.items()
        for word in words.split()
    }
)
SIDES = MappingProxyType({"long": LONG, "short": SHORT})
TRADES = MappingProxyType({"buy": LONG, "sell": SHORT})
FILLERS = frozenset({"to", "position", "now", "market", "all"})

KINDS = MappingProxyType(
    {
        spelled(word): kind
        for kind, words in {
            QuantityKind.AMOUNT: "amount quote cash dollar_amount",
            QuantityKind.UNITS: "units contracts base shares lots fixed_quantity",
            QuantityKind.PERCENT_OF_EQUITY: "percent_of_equity equity",
            QuantityKind.PERCENT_OF_POSITION: "percent_of_position position",
        }.items()
        for word in words.split()
    }
)

EXAMPLE = 'write such as "buy BTCUSDT 0.5" or {"action": "open", "side": "long"}'


def is_phrase_word(word: str) -> bool:
    """Whether a word of a text belongs to what is to be done."""
    name = spelled(word)
    return any(name in words for words in (ACTIONS, SIDES, TRADES, FILLERS)) or bool(_split(name))


def meaning(phrase: str) -> tuple[SignalAction | None, PositionSide | None, PositionSide | None]:
    """The action, the side and the trade (``buy`` is long, ``sell`` short) that a phrase names.

    Raises MessageError for words that are none of ours or contradict one another.
    """
    actions: set[SignalAction] = set()
    sides: set[PositionSide] = set()
    trades: set[PositionSide] = set()
    for word in _words(phrase):
        if word in ACTIONS:
            actions.add(ACTIONS[word])
        elif word in SIDES:
            sides.add(SIDES[word])
        elif word in TRADES:
            trades.add(TRADES[word])
        elif word not in FILLERS:
            raise MessageError(f"{shown(word)} is no action: {EXAMPLE}")
    return _only(actions, phrase), _only(sides, phrase), _only(trades, phrase)


def _words(phrase: str) -> Iterable[str]:
    for word in re.split(r"[\s_.,/-]+", phrase.strip().lower()):
        name = spelled(word)
        if name:
            yield from _split(name) or (name,)


def _split(name: str) -> tuple[str, ...]:
    """``closelong`` and ``longexit`` are two words."""
    for side in (*SIDES, *TRADES):
        for first, second in ((name.removesuffix(side), side), (side, name.removeprefix(side))):
            if first + second == name and (first in ACTIONS or second in ACTIONS):
                return first, second
    return ()


def _only(found: set[T], phrase: str) -> T | None:
    if len(found) > 1:
        raise MessageError(f"{shown(phrase)} says two things at once: {EXAMPLE}")
    return next(iter(found), None)
