"""Orders, trades and balances of a described platform, in our words."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar

from engine.adapters.brokers.rest.answers import At, rows_of, shown
from engine.adapters.brokers.rest.description import Description
from engine.adapters.brokers.rest.endpoints import BalancesEndpoint, Endpoint
from engine.adapters.brokers.rest.signatures import TimeFormat
from engine.adapters.brokers.rest.words import Expression, Unreadable
from engine.domain.instruments import Instrument
from engine.domain.money import ZERO
from engine.domain.orders import (
    TERMINAL,
    Execution,
    OrderReport,
    OrderState,
    VenueFill,
)
from engine.ports import Balance

E = TypeVar("E", bound=Enum)


class Reports:
    """Reads what a description describes. All of it raises Unreadable, naming the key."""

    def __init__(self, description: Description) -> None:
        self._told = description
        words = description.words
        self._sides = _backwards(words.sides)
        self._types = _backwards(words.types)
        self._states = _backwards(words.states)

    def balances(self, cash: Any, positions: Any = None) -> dict[str, Balance]:
        """What an account holds, assets of which it has nothing left out."""
        endpoints = self._told.endpoints
        found = self._held(cash, endpoints.balances, "endpoints.balances")
        if endpoints.positions is not None:
            found += self._held(positions, endpoints.positions, "endpoints.positions")
        held = {one.asset: one for one in found}
        if len(held) < len(found):
            names = [one.asset for one in found]
            twice = next(name for name in names if names.count(name) > 1)
            raise Unreadable(f"endpoints.balances: {twice} is there twice")
        return {asset: one for asset, one in held.items() if one.free or one.locked}

    def _held(self, answer: Any, endpoint: BalancesEndpoint, where: str) -> list[Balance]:
        fields, found = endpoint.fields, []
        for row in rows_of(answer, endpoint.rows, where):
            at = At(row, where, self._times(endpoint))
            free = at.amount(fields.free, is_signed=True)
            if fields.total is not None:
                total = at.amount(fields.total, is_signed=True)
                free = min(free, total)  # what can be borrowed is not held
                locked = total - free
            else:
                locked = at.amount(fields.locked) if fields.locked is not None else ZERO
            found.append(Balance(asset=at.words(fields.asset), free=free, locked=locked))
        return found

    def venue_id(self, row: Any) -> str:
        """The platform's id of an order."""
        return At(row, "order", self._told.times).words(self._told.order.venue_id)

    def client_id(self, row: Any) -> str:
        """Our id of an order; empty for somebody else's."""
        return At(row, "order", self._told.times).words_or_empty(self._told.order.client_id)

    def code(self, row: Any) -> str:
        """The platform's name of what an order is for."""
        return At(row, "order", self._told.times).words(self._told.order.symbol)

    def has_traded(self, row: Any) -> bool:
        """Whether a part of an order was executed."""
        return At(row, "order", self._told.times).amount(self._told.order.filled) > 0

    def taken_at(self, row: Any) -> datetime | None:
        """When an order was taken, where the platform tells it."""
        path = self._told.order.created_at
        return At(row, "order", self._told.times).moment(path) if path is not None else None

    def report(self, row: Any, symbol: str, fills: Sequence[VenueFill]) -> OrderReport:
        """An order with all its fills, which may know more than it: it can have traded between
        the two questions."""
        fields, at = self._told.order, At(row, "order", self._told.times)
        quantity, told = at.amount(fields.quantity, is_positive=True), at.amount(fields.filled)
        state = _ours(at, fields.state, self._states, "words.states")
        filled = sum((fill.quantity for fill in fills), ZERO)
        if not told <= filled <= quantity:
            raise Unreadable(f"order: {filled} of {quantity} in trades, {told} filled")
        return OrderReport(
            client_id=at.words_or_empty(fields.client_id),
            venue_id=at.words(fields.venue_id),
            symbol=symbol,
            side=_ours(at, fields.side, self._sides, "words.sides"),
            state=_settled(state, filled, quantity),
            quantity=quantity,
            filled=filled,
            fills=tuple(fills),
            reason=_reason(at, fields.reason, state),
            type=_ours(at, fields.type, self._types, "words.types"),
            price=at.amount_or_none(fields.price),
            stop_price=at.amount_or_none(fields.stop_price),
            created_at=self.taken_at(row),
        )

    def executions(self, answer: Any, instrument: Instrument, code: str) -> list[Execution]:
        """The account's trades in a symbol, each once, in the order of the answer."""
        endpoint = self._told.endpoints.executions
        found: dict[str, Execution] = {}
        for row in rows_of(answer, endpoint.rows, "endpoints.executions"):
            fields = endpoint.fields
            at = At(row, "endpoints.executions", self._times(endpoint))
            trade_id = f"{code}-{at.words(fields.trade_id)}"  # some count within a symbol
            fee = at.amount(fields.fee, is_signed=True) if fields.fee is not None else ZERO
            found[trade_id] = Execution(
                trade_id=trade_id,
                price=at.amount(fields.price, is_positive=True),
                quantity=at.amount(fields.quantity, is_positive=True),
                fee=fee,
                fee_asset=at.words_or_empty(fields.fee_asset) or instrument.quote,
                time=at.moment(fields.time),
                symbol=instrument.symbol,
                side=_ours(at, fields.side, self._sides, "words.sides"),
                venue_id=at.words(fields.venue_id),
                client_id=at.words_or_empty(fields.client_id),
            )
        return list(found.values())

    def permissions(self, answer: Any) -> Mapping[str, bool]:
        """What a key may do, as far as the platform tells."""
        endpoint = self._told.endpoints.permissions
        if endpoint is None:
            return {}
        at = At(answer, "endpoints.permissions", self._told.times)
        asked = {
            "trade": endpoint.fields.can_trade, "withdraw": endpoint.fields.can_withdraw,
        }  # fmt: skip
        return {name: at.flag(path) for name, path in asked.items() if path is not None}

    def _times(self, endpoint: Endpoint) -> TimeFormat:
        return endpoint.times or self._told.times


def _settled(state: OrderState, filled: Decimal, quantity: Decimal) -> OrderState:
    """The state that fits what was traded. Raises Unreadable when none does."""
    if filled == quantity:
        return OrderState.FILLED
    if state is OrderState.FILLED:
        raise Unreadable(f"order: filled, but {filled} of {quantity} in its trades")
    if state in (OrderState.OPEN, OrderState.PARTLY_FILLED):
        return OrderState.PARTLY_FILLED if filled else OrderState.OPEN
    return state


def _reason(at: At, path: Expression | None, state: OrderState) -> str:
    if state not in TERMINAL or state is OrderState.FILLED:
        return ""
    return at.words_or_empty(path)[:200] or state.value


def _ours(at: At, path: Expression, table: Mapping[str, E], where: str) -> E:
    told = at.words(path)
    if told not in table:
        raise Unreadable(f"order: '{shown(told)}' at '{path.source}' is in no list of {where}")
    return table[told]


def _backwards(words: Mapping[E, tuple[str, ...]]) -> dict[str, E]:
    return {word: ours for ours, listed in words.items() for word in listed}


def is_newest_first(listed: Sequence[Execution]) -> bool:
    """Which way a list of trades goes."""
    return len(listed) > 1 and listed[0].time > listed[-1].time


def oldest_first(listed: Sequence[Execution]) -> list[Execution]:
    """In the order of time; equal times keep the platform's own order."""
    forward = listed[::-1] if is_newest_first(listed) else listed
    return sorted(forward, key=lambda one: one.time)


def picked(found: Any, is_it: Callable[[Any], bool]) -> Any:
    """The one of a list that is meant, or what is no list as it is; None when there is none.

    Raises Unreadable for two of them."""
    rows = [row for row in found if is_it(row)] if isinstance(found, list) else [found]
    if len(rows) > 1:
        raise Unreadable("order: there are two of one client id")
    return rows[0] if rows else None
