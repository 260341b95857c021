"""An exchange in memory, exact to the last digit, for machines that make everything go wrong.

What an account holds is kept as totals; what is locked follows from the orders that rest. Prices
are those of ``market``; orders are matched when the price moves, when time passes and when they
come in. Nothing is random here: the machine says what goes wrong next, and how much is on offer.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import count

from engine.domain.accounts import Flow, LineKind, fill_effect
from engine.domain.instruments import Instrument
from engine.domain.money import ONE, ZERO, ceil_to, floor_to
from engine.domain.orders import (
    NEEDS_PRICE,
    TERMINAL,
    TRIGGERED,
    Execution,
    OcoRequest,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    VenueFill,
)
from engine.domain.sizing import BPS
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.ports import Balance, BrokerCapabilities
from tests.fakes.market import FakeMarket

THIRD = "BNB"
THIRD_SYMBOL = "BNB/USDT"
FEE_BPS = Decimal(10)
FEE_STEP = Decimal("1e-8")
QUIET_S = 30.0
LANDS_AFTER = timedelta(seconds=20)  # within the quiet period, as a venue's own window has it
HIDDEN_FOR = timedelta(seconds=25)


class Trouble(StrEnum):
    """What goes wrong with the next request of a kind."""

    REFUSED = "refused for certain"
    DENIED = "the key is not accepted"
    UNAVAILABLE = "surely not sent"
    LOST_BEFORE = "no answer, and it never arrived"
    LOST_AFTER = "no answer, but it was done"
    LATE = "no answer, and it arrives later"
    HIDDEN = "no answer, done, and not listed for a while"
    CRASHED = "done, and answered with an error that nobody expected"


class FeeIn(StrEnum):
    """The asset a fee is taken in."""

    QUOTE = "quote"
    RECEIVED = "what the trade brings"
    THIRD = "a third asset"


@dataclass(eq=False)
class VenueOrder:
    """An order at the venue."""

    request: OrderRequest
    venue_id: str
    quantity: Decimal
    created_at: datetime
    state: OrderState = OrderState.OPEN
    fills: list[VenueFill] = field(default_factory=list)
    filled: Decimal = ZERO
    is_triggered: bool = False
    stop_price: Decimal | None = None
    hidden_until: datetime | None = None
    sibling: "VenueOrder | None" = None

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled

    @property
    def is_working(self) -> bool:
        """Whether it can still be filled."""
        return self.state not in TERMINAL


class VenueModel:
    """Implements ``Broker``. The machine reads and sets:

    ``submits``/``cancels``/``asks``: troubles of the next requests of that kind; ``is_down``;
    ``depth``: how much of an order one match fills (None: all); ``parts``: into how many
    executions; ``fee_in``; ``is_jumbled``: reports list fills backwards and twice;
    ``keeps_markets``: what is not filled of a market order stays (else it expires).
    ``sends`` counts the engine's requests by client id, ``misfits`` are those of them that were
    off the grid or below a minimum; ``accepted`` has every order taken, ``trades`` every execution,
    ``payments`` every deposit and withdrawal, ``news`` each change as a stream tells it.
    ``before_submit`` sees every request that leaves the engine.
    """

    def __init__(
        self,
        account_id: str,
        market: FakeMarket,
        opening: Mapping[str, Decimal],
        *,
        has_oco: bool = False,
        rests_protection: bool = False,
    ) -> None:
        self.account_id = account_id
        self.market = market
        self.capabilities = BrokerCapabilities(
            has_shorting=True,
            quiet_period_s=QUIET_S,
            fee_bps=FEE_BPS,
            times_in_force=frozenset(TimeInForce) - {TimeInForce.DAY},
            has_oco=has_oco,
            rests_protection=rests_protection,
        )
        self.totals = dict(opening)
        self.submits: deque[Trouble] = deque()
        self.cancels: deque[Trouble] = deque()
        self.asks: deque[Trouble] = deque()
        self.is_down = False
        self.depth: Decimal | None = None
        self.parts = 1
        self.fee_in = FeeIn.QUOTE
        self.is_jumbled = False
        self.keeps_markets = False
        self.before_submit: Callable[[OrderRequest], None] = lambda _request: None
        self.sends: Counter[str] = Counter()
        self.accepted: dict[str, list[VenueOrder]] = {}
        self.misfits: list[str] = []
        self.news: deque[OrderReport] = deque()
        self._ids = count(1)
        self._working: list[VenueOrder] = []
        self._landing: list[tuple[datetime, OrderRequest]] = []
        self.trades: list[Execution] = []
        self.payments: list[Flow] = []

    # --- ports.Broker --------------------------------------------------------------------------

    def balances(self) -> Mapping[str, Balance]:
        """What is held, less what resting orders lock."""
        self._arrive(self.asks)
        locked = self._locked()
        return {
            asset: Balance(asset=asset, free=total - locked.get(asset, ZERO),
                           locked=locked.get(asset, ZERO))
            for asset, total in self.totals.items()
        }  # fmt: skip

    def submit(self, request: OrderRequest) -> OrderReport:
        """Count the send, then do what the next trouble says."""
        self._leave(request)
        trouble = self._arrive(self.submits)
        if trouble is Trouble.REFUSED:
            raise OrderRejected("the venue does not like it")
        if trouble is Trouble.LATE:
            self._landing.append((self.market.now() + LANDS_AFTER, request))
        if trouble in (Trouble.LATE, Trouble.LOST_BEFORE):
            raise OrderStateUnknown("timed out")
        order = self._accept(request)
        if trouble is Trouble.HIDDEN:
            order.hidden_until = self.market.now() + HIDDEN_FOR
        self._lose_answer(trouble)
        return self._report(order)

    def submit_oco(self, request: OcoRequest) -> tuple[OrderReport, OrderReport]:
        """Both or none."""
        self._leave(request.limit)
        self._leave(request.stop)
        if not self.capabilities.has_oco:
            raise OrderRejected("one order cannot end another here")
        trouble = self._arrive(self.submits)
        if trouble is Trouble.REFUSED:
            raise OrderRejected("the venue does not like it")
        if trouble in (Trouble.LATE, Trouble.LOST_BEFORE):
            raise OrderStateUnknown("timed out")
        limit, stop = self._accept_pair(request)
        if trouble is Trouble.HIDDEN:
            limit.hidden_until = stop.hidden_until = self.market.now() + HIDDEN_FOR
        self._lose_answer(trouble)
        return self._report(limit), self._report(stop)

    def cancel(self, client_id: str, symbol: str) -> OrderReport:
        """End what is left. A list of two ends as a whole."""
        trouble = self._arrive(self.cancels)
        if trouble in (Trouble.LATE, Trouble.LOST_BEFORE, Trouble.REFUSED):
            raise OrderStateUnknown("timed out")
        order = self._seen(client_id, symbol)
        if order is None:
            raise NotFound(f"There is no order {client_id}.")
        for one in filter(None, (order, order.sibling)):
            self._end(one, OrderState.CANCELLED)
        self._lose_answer(trouble)
        return self._report(order)

    def find_order(self, client_id: str, symbol: str) -> OrderReport | None:
        """None for what is not here, and for what is hidden."""
        self._arrive(self.asks)
        order = self._seen(client_id, symbol)
        return None if order is None else self._report(order)

    def open_orders(self, symbol: str | None = None) -> Sequence[OrderReport]:
        """All that work and can be seen."""
        self._arrive(self.asks)
        return [self._report(one) for one in self._working
                if symbol in (None, one.request.symbol) and not self._is_hidden(one)]  # fmt: skip

    def executions(self, symbol: str, since: datetime) -> Sequence[Execution]:
        """All trades that can be seen, oldest first."""
        self._arrive(self.asks)
        hidden = {one.venue_id for orders in self.accepted.values() for one in orders
                  if self._is_hidden(one)}  # fmt: skip
        return [one for one in self.trades if one.symbol == symbol and one.time >= since
                and one.venue_id not in hidden]  # fmt: skip

    def flows(self, since: datetime) -> Sequence[Flow]:
        """Deposits and withdrawals."""
        self._arrive(self.asks)
        return [one for one in self.payments if one.time >= since]

    # --- for the machine -----------------------------------------------------------------------

    def heal(self) -> None:
        """Everything works again from now on; what is under way still lands."""
        self.is_down = self.is_jumbled = False
        self.depth, self.parts = None, 1
        for troubles in (self.submits, self.cancels, self.asks):
            troubles.clear()

    def tick(self) -> None:
        """What is due lands, and whatever can be filled is."""
        now = self.market.now()
        due = [request for moment, request in self._landing if moment <= now]
        self._landing = [one for one in self._landing if one[0] > now]
        for request in due:
            try:
                self._accept(request)
            except OrderRejected:
                continue  # nobody listens any more
        for order in list(self._working):
            self._match(order)

    def trade_by_hand(self, symbol: str, side: Side, quantity: Decimal) -> bool:
        """A person trades on the account; whether the account could pay for it."""
        client_id = f"web-{next(self._ids)}"
        request = OrderRequest(client_id=client_id, symbol=symbol, side=side, quantity=quantity)
        try:
            self._accept(request)
        except OrderRejected:
            return False
        return True

    def pay(self, asset: str, amount: Decimal) -> None:
        """A deposit, or a withdrawal of what is free."""
        if amount < 0 and self._free(asset) < -amount:
            return
        self.totals[asset] = self.totals.get(asset, ZERO) + amount
        self.payments.append(
            Flow(id=f"f{len(self.payments)}", asset=asset, amount=amount, time=self.market.now(),
                 kind=LineKind.DEPOSIT if amount > 0 else LineKind.WITHDRAWAL)
        )  # fmt: skip

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way and everything can be seen."""
        hidden = (self._is_hidden(one) for orders in self.accepted.values() for one in orders)
        return not self._landing and not any(hidden)

    # --- taking orders -------------------------------------------------------------------------

    def _leave(self, request: OrderRequest) -> None:
        """The request is on its way, whatever becomes of it."""
        self.before_submit(request)
        self.sends[request.client_id] += 1

    def _arrive(self, troubles: deque[Trouble]) -> Trouble | None:
        """The request's own trouble, or None. Raises when it does not get there at all."""
        trouble = troubles.popleft() if troubles else None
        if trouble is Trouble.DENIED:
            raise AccessDenied("the key was revoked")
        if self.is_down or trouble is Trouble.UNAVAILABLE:
            raise BrokerUnavailable("no connection")
        self.tick()
        return trouble

    def _lose_answer(self, trouble: Trouble | None) -> None:
        if trouble in (Trouble.LOST_AFTER, Trouble.HIDDEN):
            raise OrderStateUnknown("timed out")
        if trouble is Trouble.CRASHED:
            raise KeyError("orderId")

    def _accept(self, request: OrderRequest) -> VenueOrder:
        """Take an order, and match it at once. Raises OrderRejected, OrderStateUnknown."""
        order = self._order(request)
        asset, amount = self._lock_of(order)
        self._check_funds(asset, amount, request)
        self._enter(order)
        self._match(order)
        self._end_at_once(order)
        return order

    def _accept_pair(self, request: OcoRequest) -> tuple[VenueOrder, VenueOrder]:
        limit, stop = self._order(request.limit), self._order(request.stop)
        last = self._last(limit.request.symbol)
        assert limit.request.price is not None
        is_sale = limit.request.side is Side.SELL
        if (limit.request.price <= last) if is_sale else (limit.request.price >= last):
            raise OrderRejected("the limit is on the wrong side of the price")
        limit.sibling, stop.sibling = stop, limit
        asset, amount = max(self._lock_of(limit), self._lock_of(stop))
        self._check_funds(asset, amount, limit.request)
        self._enter(limit)
        self._enter(stop)
        return limit, stop

    def _enter(self, order: VenueOrder) -> None:
        self._working.append(order)
        self.accepted.setdefault(order.request.client_id, []).append(order)

    def _order(self, request: OrderRequest) -> VenueOrder:
        """Check everything but the funds. Raises OrderRejected, OrderStateUnknown."""
        earlier = self.accepted.get(request.client_id, [])
        if any(one.is_working for one in earlier):
            raise OrderStateUnknown("duplicate order")
        instrument = self.market.instrument(request.symbol)
        last = self._last(request.symbol)
        self._check_filters(request, instrument, last)
        assert request.quantity is not None
        order = VenueOrder(request, f"v{next(self._ids)}", request.quantity, self.market.now())
        if request.type is OrderType.TRAILING_STOP:
            order.stop_price = self._trail(order, last)
        elif request.type in TRIGGERED:
            order.stop_price = request.stop_price
            if self._has_come(order, last):
                raise OrderRejected("it would trigger at once")
        return order

    def _check_filters(self, request: OrderRequest, rules: Instrument, last: Decimal) -> None:
        said = ""
        if request.quantity is None:
            raise OrderRejected("it takes quantities only")
        if request.quantity % rules.quantity_step:
            said = f"{request.quantity} is off the step"
        elif any(one is not None and one % rules.price_tick
                 for one in (request.price, request.stop_price)):  # fmt: skip
            said = f"{request.price}, {request.stop_price} are off the tick"
        elif request.type in NEEDS_PRICE and request.price is None:
            said = "it has no limit"
        elif request.quantity < rules.min_quantity:
            said = f"{request.quantity} is too little"
        elif request.quantity * (request.price or request.stop_price or last) < rules.min_notional:
            said = f"{request.quantity} is worth too little"
        if said:
            if request.client_id in self.sends:
                self.misfits.append(f"{request.client_id}: {said}")
            raise OrderRejected(said)

    def _check_funds(self, asset: str, amount: Decimal, request: OrderRequest) -> None:
        rules = self.market.instrument(request.symbol)
        is_short = request.side is Side.SELL and rules.can_short
        if not is_short and self._free(asset) < amount:
            raise InsufficientFunds(f"needs {amount} {asset}, has {self._free(asset)}")

    # --- what is locked ------------------------------------------------------------------------

    def _free(self, asset: str) -> Decimal:
        return self.totals.get(asset, ZERO) - self._locked().get(asset, ZERO)

    def _locked(self) -> dict[str, Decimal]:
        """By asset; two orders of a list lock what one of them needs."""
        locked: dict[str, Decimal] = {}
        for order in self._working:
            asset, amount = self._lock_of(order)
            if order.sibling is not None:
                other = self._lock_of(order.sibling)[1]
                if order.request.type is not OrderType.LIMIT:
                    continue
                amount = max(amount, other)
            locked[asset] = locked.get(asset, ZERO) + amount
        return locked

    def _lock_of(self, order: VenueOrder) -> tuple[str, Decimal]:
        rules = self.market.instrument(order.request.symbol)
        if order.request.side is Side.SELL:
            return rules.base, order.left
        price = order.request.price or order.stop_price or self._last(rules.symbol)
        return rules.quote, order.left * price * (ONE + FEE_BPS / BPS)

    # --- filling -------------------------------------------------------------------------------

    def _match(self, order: VenueOrder) -> None:
        """Fill what the price and the depth allow."""
        if not order.is_working:
            return
        last, request = self._last(order.request.symbol), order.request
        if request.type in TRIGGERED and not order.is_triggered:
            if request.type is OrderType.TRAILING_STOP:
                order.stop_price = self._trail(order, last)
            if not self._has_come(order, last):
                return
            order.is_triggered = True
        if request.price is not None and not _is_within(request, last):
            return
        step = self.market.instrument(request.symbol).quantity_step
        amount = order.left if self.depth is None else min(order.left, self.depth)
        if request.time_in_force is TimeInForce.FOK and amount < order.left:
            return
        share = floor_to(amount / self.parts, step)
        for _part in range(self.parts - 1 if share else 0):
            self._fill(order, share, last)
            amount -= share
        self._fill(order, amount, last)
        if order.sibling is not None:
            self._end(order.sibling, OrderState.CANCELLED)

    def _fill(self, order: VenueOrder, quantity: Decimal, price: Decimal) -> None:
        request = order.request
        rules = self.market.instrument(request.symbol)
        fee, fee_asset = self._fee(request.side, rules, quantity, price)
        fill = VenueFill(trade_id=f"t{len(self.trades)}", price=price, quantity=quantity, fee=fee,
                         fee_asset=fee_asset, time=self.market.now())  # fmt: skip
        self.trades.append(
            Execution(**dict(fill), symbol=request.symbol, side=request.side,
                      venue_id=order.venue_id, client_id=request.client_id)
        )  # fmt: skip
        effect = fill_effect(request.side, rules.base, rules.quote, price, quantity, fee, fee_asset)
        for asset, amount in effect.items():
            self.totals[asset] = self.totals.get(asset, ZERO) + amount
        order.fills.append(fill)
        order.filled += quantity
        order.state = OrderState.PARTLY_FILLED if order.left else OrderState.FILLED
        if not order.left:
            self._working.remove(order)
        self.news.append(self._report(order).model_copy(update={"fills": (fill,)}))

    def _fee(
        self, side: Side, rules: Instrument, quantity: Decimal, price: Decimal
    ) -> tuple[Decimal, str]:
        fee = ceil_to(quantity * price * FEE_BPS / BPS, FEE_STEP)
        if self.fee_in is FeeIn.THIRD:
            discounted = ceil_to(fee / self._last(THIRD_SYMBOL), FEE_STEP)
            if self._free(THIRD) >= discounted:
                return discounted, THIRD
        if self.fee_in is FeeIn.RECEIVED and side is Side.BUY:
            return ceil_to(quantity * FEE_BPS / BPS, FEE_STEP), rules.base
        return fee, rules.quote

    def _end_at_once(self, order: VenueOrder) -> None:
        """What a time in force, or a market order, does not leave in the book."""
        request = order.request
        is_market = request.type is OrderType.MARKET and not self.keeps_markets
        if is_market or request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            self._end(order, OrderState.EXPIRED)

    def _end(self, order: VenueOrder, state: OrderState) -> None:
        if order.is_working:
            order.state = state
            self._working.remove(order)
            self.news.append(self._report(order).model_copy(update={"fills": ()}))

    # --- prices and answers --------------------------------------------------------------------

    def _last(self, symbol: str) -> Decimal:
        return self.market.quote(symbol).last

    def _trail(self, order: VenueOrder, last: Decimal) -> Decimal:
        """The trigger of a trailing stop, which only ever comes closer."""
        tick = self.market.instrument(order.request.symbol).price_tick
        distance = (order.request.trail_bps or ZERO) / BPS
        if order.request.side is Side.SELL:
            wanted = floor_to(last * (ONE - distance), tick)
            return max(wanted, order.stop_price or wanted)
        wanted = ceil_to(last * (ONE + distance), tick)
        return min(wanted, order.stop_price or wanted)

    @staticmethod
    def _has_come(order: VenueOrder, last: Decimal) -> bool:
        assert order.stop_price is not None
        is_sale = order.request.side is Side.SELL
        return last <= order.stop_price if is_sale else last >= order.stop_price

    def _is_hidden(self, order: VenueOrder) -> bool:
        return order.hidden_until is not None and self.market.now() < order.hidden_until

    def _seen(self, client_id: str, symbol: str) -> VenueOrder | None:
        for order in reversed(self.accepted.get(client_id, [])):
            if order.request.symbol == symbol and not self._is_hidden(order):
                return order
        return None

    def _report(self, order: VenueOrder) -> OrderReport:
        fills = tuple(order.fills)
        if self.is_jumbled:
            fills = (*reversed(fills), *fills[:1])
        request = order.request
        return OrderReport(
            client_id=request.client_id, venue_id=order.venue_id, symbol=request.symbol,
            side=request.side, state=order.state, quantity=order.quantity, filled=order.filled,
            fills=fills, type=request.type, price=request.price, stop_price=request.stop_price,
            created_at=order.created_at,
        )  # fmt: skip


def _is_within(request: OrderRequest, last: Decimal) -> bool:
    assert request.price is not None
    return last <= request.price if request.side is Side.BUY else last >= request.price
