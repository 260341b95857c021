"""The alert message to paste at TradingView, written from what a person wants. Pure.

A number may be a placeholder: ``{{plot_0}}`` as a stop follows the indicator's first line.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from engine.contracts.signals import Expected, QuantityKind, SignalAction

STRATEGY, INDICATOR, TEXT = "Strategy alert", "Indicator alert", "Text"
KINDS = (STRATEGY, INDICATOR, TEXT)

STAKE, CONTRACTS = "stake", "contracts"
QUANTITIES = {
    STAKE: "The bot's own amount",
    CONTRACTS: "As many as the strategy trades",
    QuantityKind.AMOUNT.value: "An amount of the quote asset",
    QuantityKind.UNITS.value: "Units of the base asset",
    QuantityKind.PERCENT_OF_EQUITY.value: "Percent of the equity",
    QuantityKind.PERCENT_OF_POSITION.value: "Percent of the position",
}
"""How much is meant, in words; the names are those of the message but for the first two."""

FIELDS = {
    QuantityKind.AMOUNT.value: "amount",
    QuantityKind.UNITS.value: "quantity",
    QuantityKind.PERCENT_OF_EQUITY.value: "percent_of_equity",
    QuantityKind.PERCENT_OF_POSITION.value: "percent_of_position",
}
NO_LEVEL, AT_PRICE, AWAY = "none", "price", "percent"
LEVELS = {NO_LEVEL: "The bot's own", AT_PRICE: "At a price", AWAY: "Percent away"}
ANY_POSITION, AS_THE_STRATEGY = "any", "strategy"
EXPECTED = {
    ANY_POSITION: "Whatever it has",
    AS_THE_STRATEGY: "What the strategy had",
    Expected.FLAT.value: "None",
    Expected.LONG.value: "Long",
    Expected.SHORT.value: "Short",
}
EACH_FIRING, ONCE_A_BAR = "firing", "bar"
ONCE = {EACH_FIRING: "Each firing", ONCE_A_BAR: "Once a bar"}


@dataclass(frozen=True, slots=True)
class AlertDraft:
    """What a person wants an alert to do. Numbers are as they were typed."""

    kind: str = STRATEGY
    action: str = SignalAction.OPEN.value
    side: str = "long"
    quantity: str = STAKE
    size: str = ""
    stop: str = NO_LEVEL
    stop_at: str = ""
    target: str = NO_LEVEL
    target_at: str = ""
    expected: str = ANY_POSITION
    once: str = EACH_FIRING


def quantities_of(kind: str, action: str) -> list[str]:
    """Which ways to say how much fit: a part of the position is closed or added to, not opened."""
    if kind == STRATEGY:
        return [one for one in QUANTITIES if one != QuantityKind.PERCENT_OF_POSITION]
    left = [one for one in QUANTITIES if one != CONTRACTS]
    if action == SignalAction.OPEN:
        left.remove(QuantityKind.PERCENT_OF_POSITION.value)
    if action == SignalAction.CLOSE:
        left.remove(QuantityKind.PERCENT_OF_EQUITY.value)
    return left


def alert_message(draft: AlertDraft) -> str:
    """The message: JSON, or a line of words for a text."""
    fields = {"symbol": "{{ticker}}"} | (
        _strategy_fields(draft) if draft.kind == STRATEGY else _wish(draft)
    )
    fields |= _levels(draft)
    if draft.expected == AS_THE_STRATEGY:
        fields["expected"] = "{{strategy.prev_market_position}}"
    elif draft.expected != ANY_POSITION:
        fields["expected"] = draft.expected
    fields["timenow"] = "{{timenow}}"
    if draft.kind == TEXT:
        return _line(fields)
    return json.dumps(fields, indent=2)


def _strategy_fields(draft: AlertDraft) -> dict[str, str]:
    """What the strategy's order did, and the position it has now: the bot follows. The two sizes
    tell which part of a position it closed."""
    fields = {
        "action": "{{strategy.order.action}}",
        "market_position": "{{strategy.market_position}}",
        "market_position_size": "{{strategy.market_position_size}}",
        "prev_market_position": "{{strategy.prev_market_position}}",
        "prev_market_position_size": "{{strategy.prev_market_position_size}}",
        "price": "{{strategy.order.price}}",
        "order_id": "{{strategy.order.id}}",
    }
    if draft.quantity == CONTRACTS:
        return fields | {"contracts": "{{strategy.order.contracts}}"}
    return fields | _size(draft)


def _wish(draft: AlertDraft) -> dict[str, str]:
    fields = {"action": draft.action}
    if draft.action != SignalAction.FLAT:
        fields |= {"side": draft.side, **_size(draft)}
    fields["price"] = "{{close}}"
    if draft.once == ONCE_A_BAR:
        fields["id"] = "{{ticker}}-{{interval}}-{{time}}-" + draft.action
    return fields


def _size(draft: AlertDraft) -> dict[str, str]:
    field = FIELDS.get(draft.quantity)
    return {field: draft.size.strip()} if field and draft.size.strip() else {}


def _levels(draft: AlertDraft) -> dict[str, str]:
    fields = {}
    for name, how, at in (
        ("stop", draft.stop, draft.stop_at), ("target", draft.target, draft.target_at),
    ):  # fmt: skip
        if how != NO_LEVEL and at.strip():
            fields[name if how == AT_PRICE else f"{name}_percent"] = at.strip()
    return fields


def _line(fields: Mapping[str, str]) -> str:
    """``close long BTCUSDT percent_of_position=50 ...``: what is to be done, then the rest."""
    words = [fields["action"], fields.get("side", ""), fields["symbol"]]
    rest = [f"{name}={value}" for name, value in fields.items()
            if name not in ("action", "side", "symbol")]  # fmt: skip
    return " ".join([*filter(None, words), *rest])
