"""The gateway: limits that every order passes just before it is sent, out of a strategy's reach.

It counts what is sent, and its breaker latches a control on a bot or an account that storms.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial

from engine.domain.accounts import HOUSE
from engine.domain.instruments import Instrument
from engine.domain.limits import (
    Attempt,
    Breach,
    Limits,
    LimitUsage,
    OnExit,
    find_breach,
    notional_of,
    usage_of,
)
from engine.domain.money import ZERO
from engine.domain.orders import Order, OrderState, Purpose
from engine.domain.records import KillLevel, ScopeKind
from engine.errors import BrokerUnavailable, LimitReached
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.tallies import Tallies, Tally

AT_WORK = frozenset(
    {OrderState.SENDING, OrderState.UNKNOWN, OrderState.OPEN, OrderState.PARTLY_FILLED}
)


class Gateway:
    """Lets an order pass or says why not. Called on the account's lane, in no transaction.

    ``limits_of`` gives the limits of paper accounts (True) and of all others (False).
    """

    def __init__(
        self,
        books: Books,
        controls: Controls,
        limits_of: Callable[[bool], Limits],
        is_stepped: Callable[[str], bool] = lambda _market_id: False,
    ) -> None:
        self._books = books
        self._controls = controls
        self._limits_of = limits_of
        self._is_stepped = is_stepped
        self._tallies = Tallies(books.store, books.clock)
        self._is_paper: dict[str, bool] = {}

    def load(self) -> None:
        """Take up the counts of before a restart. Raises StoreError."""
        with self._books.store.reading() as tx:
            for order in self._orders():
                bot = self._books.bots.get(order.bot_id)
                if bot is None or order.state not in AT_WORK:
                    continue
                instrument = tx.find_instrument(bot.market, order.symbol)
                if instrument is not None:
                    held = self._books.positions.get(order.bot_id)
                    price = held.average_price if held else None
                    value = notional_of(order, order.quantity, None, price) or ZERO
                    day = self._tallies.of(order.account_id).day
                    day.working[order.client_id] = (instrument.quote, value)
        self._tallies.load([order.client_id for order in self._orders()])

    def admit(
        self,
        order: Order,
        *,
        quantity: Decimal | None,
        price: Decimal | None,
        last: Decimal | None,
        instrument: Instrument,
        is_paper: bool,
    ) -> None:
        """Count an order that is about to be sent. Raises LimitReached, or BrokerUnavailable with
        ``retry_after_s`` for an exit that has to wait; nothing is sent then."""
        limits = self._limits(order, is_paper)
        notional = notional_of(order, quantity, price, last)
        if notional is None and not order.is_reducing:
            raise LimitReached("Its value cannot be told without a price, so it is not sent.")
        self._is_paper[order.account_id] = is_paper
        tally = self._tallies.of(order.account_id)
        now_s = self._books.clock.monotonic()
        with tally.lock:
            if last is not None:
                tally.seen[order.symbol] = (instrument.quote, last)
            attempt = self._attempt(
                tally, order, limits, notional or ZERO, instrument.quote, last, now_s
            )
            breach = find_breach(attempt)
            self._watch_for_storm(tally, order, limits, now_s)
            if breach is None:
                self._count(tally, attempt, now_s)
        if breach is not None:
            self._refuse(breach, tally, attempt, now_s)

    def note_rejection(self, order: Order) -> None:
        """The venue has refused an order for certain (and not for want of funds)."""
        most = self._limits_of(self._is_paper.get(order.account_id, False)).rejections_in_a_row
        tally = self._tallies.of(order.account_id)
        with tally.lock:
            tally.rejections[order.bot_id] += 1
            count = tally.rejections[order.bot_id]
            if most is None or count < most:
                return
            tally.rejections[order.bot_id] = 0
        self._trip_bot(order, f"the venue has refused {count} orders in a row")

    def note_success(self, order: Order) -> None:
        """The venue has taken an order."""
        tally = self._tallies.of(order.account_id)
        with tally.lock:
            tally.rejections.pop(order.bot_id, None)

    def usage(self) -> Sequence[LimitUsage]:
        """What is used of each limit that is set, by account and bot. Raises StoreError."""
        rows: list[LimitUsage] = []
        for account_id, tally in sorted(self._tallies.all().items()):
            limits = self._limits_of(self._is_paper.get(account_id, False))
            with tally.lock:
                rows += self._account_usage(account_id, tally, limits)
        return rows

    # --- judging --------------------------------------------------------------------------------

    def _limits(self, order: Order, is_paper: bool) -> Limits:
        limits = self._limits_of(is_paper)
        bot = self._books.bots.get(order.bot_id)
        is_replay = bot is not None and self._is_stepped(bot.config.market)
        return limits.without_pace() if is_replay or self._is_flattening(order) else limits

    def _is_flattening(self, order: Order) -> bool:
        """A person who closes everything waits for no turn."""
        return order.is_reducing and KillLevel.CLOSE_ALL is self._controls.level_for(
            account_id=order.account_id, bot_id=order.bot_id, symbol=order.symbol
        )

    def _attempt(
        self,
        tally: Tally,
        order: Order,
        limits: Limits,
        notional: Decimal,
        quote: str,
        last: Decimal | None,
        now_s: float,
    ) -> Attempt:
        day = bot = account = ZERO
        if not order.is_reducing:
            day = self._day_total(tally, limits, quote)
            if limits.bot_position is not None:
                bot = self._exposure(order, last, bot_id=order.bot_id)
            if limits.account_position is not None:
                account = self._exposure(order, last, bot_id=None)
        return Attempt(
            limits=limits,
            order=order,
            notional=notional,
            quote=quote,
            last=last,
            bot_sent=tally.bots[order.bot_id].sent_before(order, now_s),
            account_sent=tally.account.sent_before(order, now_s),
            day_notional=day,
            bot_position=bot,
            account_position=account,
        )

    def _day_total(self, tally: Tally, limits: Limits, quote: str) -> Decimal:
        if limits.day_notional is None:
            return ZERO
        tally.day.turn_to(self._books.clock.now().date())
        tally.day.settle(self._books.store, (order.client_id for order in self._orders()))
        return tally.day.total(quote)

    def _exposure(self, order: Order, last: Decimal | None, *, bot_id: str | None) -> Decimal:
        """What is held and at work in an order's symbol, at the last price: of one bot, or of all
        bots of the account."""
        bots = [bot_id] if bot_id is not None else list(self._books.bots)
        total = ZERO
        for one in bots:
            held = self._books.positions.get(one)
            if held is not None and _is_same(held.account_id, held.symbol, order):
                total += held.quantity * (last or held.average_price)
            for other in list(self._books.working.get(one, {}).values()):
                is_entry = other.purpose is Purpose.ENTRY and other.state in AT_WORK
                is_other = other.client_id != order.client_id
                if is_entry and is_other and _is_same(other.account_id, other.symbol, order):
                    total += _left(other, last)
        return total

    def _count(self, tally: Tally, attempt: Attempt, now_s: float) -> None:
        order = attempt.order
        for traffic in (tally.account, tally.bots[order.bot_id]):
            traffic.count_sent(order.client_id, now_s, is_reducing=order.is_reducing)
        if attempt.limits.day_notional is not None:
            tally.day.working[order.client_id] = (attempt.quote, attempt.notional)

    def _refuse(self, breach: Breach, tally: Tally, attempt: Attempt, now_s: float) -> None:
        order, limits = attempt.order, attempt.limits
        if not order.is_reducing or breach.rule.on_exit is OnExit.REFUSE:
            raise LimitReached(breach.message)
        with tally.lock:
            waits = [
                traffic.exits.free_in_s(now_s, most)
                for traffic, most in (
                    (tally.bots[order.bot_id], limits.bot_orders_per_minute),
                    (tally.account, limits.account_orders_per_minute),
                )
                if most is not None
            ]
        raise BrokerUnavailable(breach.message, retry_after_s=max(waits, default=0.0))

    # --- the breaker ----------------------------------------------------------------------------

    def _watch_for_storm(self, tally: Tally, order: Order, limits: Limits, now_s: float) -> None:
        """Count what is wanted, sent or not, each order once; far too much of it is a storm."""
        for traffic, most, is_account in (
            (tally.bots[order.bot_id], limits.bot_orders_per_minute, False),
            (tally.account, limits.account_orders_per_minute, True),
        ):
            traffic.wanted.add(order.client_id, now_s)
            if most is None:
                continue
            count = traffic.wanted.count(now_s)
            if count <= most * limits.storm_factor:
                continue
            traffic.wanted.clear()  # a person who releases it starts from nothing
            reason = f"{count} orders within a minute, where {most} are allowed"
            if is_account:
                self._controls.trip(
                    KillLevel.REDUCE_ONLY, ScopeKind.ACCOUNT, order.account_id, reason
                )
            else:
                self._trip_bot(order, reason)

    def _trip_bot(self, order: Order, reason: str) -> None:
        if order.bot_id == HOUSE:
            self._controls.trip(KillLevel.REDUCE_ONLY, ScopeKind.ACCOUNT, order.account_id, reason)
        else:
            self._controls.trip(KillLevel.PAUSE_ENTRIES, ScopeKind.BOT, order.bot_id, reason)

    # --- usage ----------------------------------------------------------------------------------

    def _account_usage(self, account_id: str, tally: Tally, limits: Limits) -> Iterator[LimitUsage]:
        now_s = self._books.clock.monotonic()
        row = partial(usage_of, scope=ScopeKind.ACCOUNT, key=account_id)
        if (most := limits.account_orders_per_minute) is not None:
            yield row("orders a minute", limit=most, used=tally.account.sent.count(now_s))
        if (value := limits.day_notional) is not None:
            self._day_total(tally, limits, "")
            quotes = {quote for quote, _ in tally.day.working.values()} | set(tally.day.traded)
            for quote in sorted(quotes):
                yield row("value traded today", limit=value, used=tally.day.total(quote),
                          unit=quote)  # fmt: skip
        for bot_id, traffic in tally.bots.items():
            count = traffic.sent.count(now_s)
            most = limits.bot_orders_per_minute
            if count and bot_id != HOUSE and most is not None:
                yield usage_of("orders a minute", ScopeKind.BOT, bot_id, limit=most, used=count)
        yield from self._position_usage(account_id, tally, limits)

    def _position_usage(
        self, account_id: str, tally: Tally, limits: Limits
    ) -> Iterator[LimitUsage]:
        by_symbol: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for held in list(self._books.positions.values()):
            if held.account_id != account_id:
                continue
            quote, last = tally.seen.get(held.symbol, ("", held.average_price))
            value = held.quantity * last
            by_symbol[held.symbol, quote] += value
            if (most := limits.bot_position) is not None:
                yield usage_of("position", ScopeKind.BOT, held.bot_id, limit=most, used=value,
                               unit=quote)  # fmt: skip
        for (symbol, quote), value in sorted(by_symbol.items()):
            if (most := limits.account_position) is not None:
                yield usage_of(f"position in {symbol}", ScopeKind.ACCOUNT, account_id, limit=most,
                               used=value, unit=quote)  # fmt: skip

    def _orders(self) -> Iterator[Order]:
        """Every order that is not done."""
        for orders in list(self._books.working.values()):
            yield from list(orders.values())


def _is_same(account_id: str, symbol: str, order: Order) -> bool:
    return (account_id, symbol) == (order.account_id, order.symbol)


def _left(order: Order, last: Decimal | None) -> Decimal:
    """What an entry may still add, in quote."""
    price = last or order.price or order.stop_price or ZERO
    if order.left is not None:
        return order.left * price
    return max(ZERO, (order.quote_amount or ZERO) - order.filled * price)
