"""The order desk under any sequence of commands, troubles of the venue, crashes and full disks."""

from collections.abc import Callable
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from pydantic import ValidationError

from engine.domain.accounts import HOUSE
from engine.domain.bots import BotState
from engine.domain.money import ONE, floor_to
from engine.domain.orders import OrderRequest, OrderState, Purpose, Side, TimeInForce
from engine.domain.positions import PositionSide
from engine.domain.records import KillLevel
from engine.domain.tickets import NEEDS, OrderChanges, OrderTicket, TicketType
from engine.errors import ConfigError, NotFound, StoreError
from engine.services.order_outcomes import MANUAL
from tests.fakes.venue_model import FeeIn, Trouble
from tests.stateful.counting import CountingMachine
from tests.stateful.desk_checks import OURS, DeskChecks
from tests.stateful.desk_room import ACCOUNT, BOT_IDS, BTC, ETH, PRICES, Crash, DeskRoom

BOTS = st.sampled_from(BOT_IDS)
SIDES = st.sampled_from(list(PositionSide))
SYMBOLS = st.sampled_from([BTC.symbol, ETH.symbol])
SIZES = st.sampled_from([1.0, 0.4])
FRACTIONS = st.sampled_from([ONE, ONE, Decimal("0.5"), Decimal("0.07")])
WAITS_S = st.sampled_from([1, 1, 5, 12, 31, 61])
DEPTHS = st.sampled_from([None, None, "0.01", "0.3", "1.5"])
SUBMITS = st.sampled_from([None] * 5 + [one for one in Trouble if one is not Trouble.DENIED])
CANCELS = st.sampled_from(
    [None, None, None, Trouble.UNAVAILABLE, Trouble.LOST_BEFORE, Trouble.LOST_AFTER]
)
LASTING = st.sampled_from([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
OFTEN = st.sampled_from([True, True, True, True, False])
SETTLING_ROUNDS = 12
ROUNDS_AT_REST = 2  # after which nothing is left that time could change


class DeskMachine(CountingMachine):
    """Three bots on one account of a venue that keeps protection itself or not."""

    has_oco = False
    rests_protection = False

    def __init__(self) -> None:
        super().__init__()
        self.room = self.make_room()
        self.room.venue.before_submit = self.sees_request
        self.checks = DeskChecks(self.room)
        self.wrongly_sent: list[str] = []

    def make_room(self) -> DeskRoom:
        """What the machine is about."""
        return DeskRoom(has_oco=self.has_oco, rests_protection=self.rests_protection)

    # --- what the engine does --------------------------------------------------------------------

    @rule(bot_id=BOTS, side=SIDES, size=SIZES, trouble=SUBMITS, is_clear=OFTEN)
    def enter(
        self, bot_id: str, side: PositionSide, size: float, trouble: Trouble | None, is_clear: bool
    ) -> None:
        """A cycle decides on an entry, or on one more; mostly nothing stands in its way."""
        if is_clear:
            self._clear_the_way(bot_id)
        self._expect(trouble)
        self._do(lambda: self._enter(bot_id, side, size))

    def _enter(self, bot_id: str, side: PositionSide, size: float) -> None:
        books, desk, now = self.room.books, self.room.desk, self.room.clock.now()
        position = books.positions.get(bot_id)
        if desk.has_entry(bot_id) or desk.is_closing(bot_id):
            desk.advance(bot_id, self.room.market)
            return
        if position is not None:
            side = position.side
        elif bot_id != "both":
            side = PositionSide.LONG
        with books.writing() as writing:
            desk.plan_entry(writing, books.bots[bot_id], side, size=size, candle_time=now,
                            decided_at=now)  # fmt: skip
        desk.advance(bot_id, self.room.market)

    @rule(bot_id=BOTS, is_reversal=st.booleans(), fraction=FRACTIONS, trouble=SUBMITS,
          cancel=CANCELS)  # fmt: skip
    def leave(
        self, bot_id: str, is_reversal: bool, fraction: Decimal, trouble: Trouble | None,
        cancel: Trouble | None,
    ) -> None:  # fmt: skip
        """The watcher, or a person, closes the position or a part of it; or a cycle turns it."""
        self._expect(trouble, cancel)
        room = self.room
        if is_reversal:
            self._do(lambda: self._reverse(bot_id))
        else:
            self._do(lambda: room.desk.close_position(
                bot_id, room.market, "stop", fraction=fraction))  # fmt: skip

    def _reverse(self, bot_id: str) -> None:
        books, desk, now = self.room.books, self.room.desk, self.room.clock.now()
        position = books.positions.get(bot_id)
        if position is None or desk.is_closing(bot_id) or desk.has_entry(bot_id):
            return
        is_long = position.side is PositionSide.LONG
        with books.writing() as writing:
            out = desk.plan_exit(writing, position, "signal", decided_at=now,
                                 order_id=f"{OURS}{bot_id}-{int(now.timestamp())}-x")  # fmt: skip
            if bot_id == "both":
                desk.plan_entry(writing, books.bots[bot_id],
                                PositionSide.SHORT if is_long else PositionSide.LONG,
                                size=1.0, candle_time=now, decided_at=now, after=out)  # fmt: skip
        desk.advance(bot_id, self.room.market)

    @rule(seconds=WAITS_S, trouble=SUBMITS, cancel=CANCELS)
    def look(self, seconds: int, trouble: Trouble | None, cancel: Trouble | None) -> None:
        """Time passes and the watcher looks at every bot."""
        self._expect(trouble, cancel, after_s=seconds)
        self._look()

    @rule(what=st.sampled_from(["cancel", "pause", "switch"]), bot_id=BOTS, cancel=CANCELS,
          level=st.sampled_from(list(KillLevel)))  # fmt: skip
    def command(self, what: str, bot_id: str, cancel: Trouble | None, level: KillLevel) -> None:
        """A person takes entries back, pauses a bot or pulls a switch."""
        self._expect(None, cancel)
        if what == "cancel":
            self._do(lambda: self.room.desk.cancel_entries(bot_id, self.room.market))
        elif what == "pause":
            self._set_state(bot_id, BotState.PAUSED)
        else:
            self._do(lambda: self.room.controls.set(level, "person"))

    @rule(bot_id=BOTS, kind=st.sampled_from(list(TicketType)), is_entry=st.booleans(),
          is_bracket=st.booleans(), percent=st.integers(1, 5), lasting=LASTING,
          trouble=SUBMITS)  # fmt: skip
    def place(
        self, bot_id: str, kind: TicketType, is_entry: bool, is_bracket: bool, percent: int,
        lasting: TimeInForce, trouble: Trouble | None,
    ) -> None:  # fmt: skip
        """A person places an order of any type; what makes no sense is refused."""
        self._expect(trouble)
        position, side = self.room.books.positions.get(bot_id), self._way_of(bot_id)
        is_exit = position is not None and not is_entry
        symbol = self.room.books.bots[bot_id].config.symbol
        tick, last = self._price(symbol)
        sign = percent if side is PositionSide.LONG else -percent
        below, above = (floor_to(last * (100 + one) / 100, tick) for one in (-sign, sign))
        fields: dict[str, object] = {"type": kind, "purpose": "exit" if is_exit else "entry"}
        if not is_exit:
            fields |= {"direction": side, "quote_amount": Decimal(50)}
            if is_bracket and kind is TicketType.MARKET:
                fields |= {"level_stop": below, "level_target": above}
        if kind in NEEDS["price"]:
            fields["price"] = above if is_exit else below
        if kind in NEEDS["stop_price"]:
            fields["stop_price"] = below if is_exit else above
        if kind in NEEDS["trail_bps"]:
            fields["trail_bps"] = Decimal(100 * percent)
        if kind is TicketType.LIMIT:
            fields["time_in_force"] = lasting
        room = self.room
        self._ask(lambda: room.desk.place(
            bot_id, room.market, OrderTicket.model_validate(fields), "person"))  # fmt: skip

    @rule(bot_id=BOTS, which=st.integers(0, 5), per_mille=st.integers(-20, 20),
          is_cancel=st.booleans(), cancel=CANCELS)  # fmt: skip
    def change(
        self, bot_id: str, which: int, per_mille: int, is_cancel: bool, cancel: Trouble | None
    ) -> None:
        """A person takes a working order back, or asks for another price."""
        self._expect(None, cancel)
        orders, room = self.room.books.working_orders(bot_id), self.room
        if not orders:
            return
        order = orders[which % len(orders)]
        if is_cancel:
            self._ask(lambda: room.desk.cancel_order(
                bot_id, order.client_id, room.market, "person"))  # fmt: skip
        elif order.price is not None:
            tick, _last = self._price(order.symbol)
            price = floor_to(order.price * (1000 + per_mille) / 1000, tick)
            self._ask(lambda: room.desk.replace_order(
                bot_id, order.client_id, room.market, OrderChanges(price=price), "person"
            ))  # fmt: skip

    @rule(times=st.integers(0, 2), is_backwards=st.booleans())
    def hear(self, times: int, is_backwards: bool) -> None:
        """The stream tells its news: not at all, once, twice, backwards."""
        news = list(self.room.venue.news) * times
        self.room.venue.news.clear()
        for report in reversed(news) if is_backwards else news:
            self._do(lambda report=report: self.room.desk.hear(  # type: ignore[misc]
                ACCOUNT, report, self.room.market))  # fmt: skip

    # --- what goes on, and wrong -----------------------------------------------------------------

    @rule(what=st.sampled_from(["crash", "crash before", "crash after", "full disk", "cut"]),
          number=st.integers(1, 6))  # fmt: skip
    def fail(self, what: str, number: int) -> None:
        """The engine dies now or at one of its next commits, before it counts or after; the disk
        is full for one; or the venue cannot be reached."""
        if what == "crash":
            self.room.start()
        elif what == "full disk":
            error = StoreError("The disk is full. Nothing was written.")
            self.room.fail_commit(number, is_before=True, error=error)
        elif what == "cut":
            self.room.venue.is_down = number > 3
        else:
            self.room.fail_commit(number, is_before=what == "crash before", error=Crash())

    @rule(symbol=SYMBOLS, per_mille=st.integers(-40, 40))
    def move(self, symbol: str, per_mille: int) -> None:
        """The price moves, and what rests is matched."""
        tick, before = self._price(symbol)
        price = (before * (1000 + per_mille) / 1000).quantize(tick)
        self.room.market.set_price(symbol, str(max(price, Decimal(PRICES[symbol]) / 4)))
        self.room.venue.tick()

    @rule(depth=DEPTHS, parts=st.integers(1, 3), fee_in=st.sampled_from(list(FeeIn)),
          is_jumbled=st.booleans(), keeps_markets=st.booleans())  # fmt: skip
    def change_ways(
        self, depth: str | None, parts: int, fee_in: FeeIn, is_jumbled: bool, keeps_markets: bool
    ) -> None:
        """How the venue fills, charges and tells from now on."""
        venue = self.room.venue
        venue.depth = None if depth is None else Decimal(depth)
        venue.parts, venue.fee_in = parts, fee_in
        venue.is_jumbled, venue.keeps_markets = is_jumbled, keeps_markets

    # --- what must hold --------------------------------------------------------------------------

    @invariant()
    def books_hold(self) -> None:
        self.checks.check()
        assert not self.wrongly_sent, self.wrongly_sent

    def sees_request(self, request: OrderRequest) -> None:
        """Kept until the step is over: the desk takes whatever a venue raises for its answer."""
        try:
            self._check_request(request)
        except AssertionError as error:
            self.wrongly_sent.append(f"{request}: {error}")

    def _check_request(self, request: OrderRequest) -> None:
        """At the moment of sending: it is durable, allowed, and no exit exceeds what is held."""
        order = self.room.store.rows("orders")[request.client_id]
        assert order.state is OrderState.SENDING, order
        books = self.room.books
        if not request.reduce_only:
            is_manual = order.reason == MANUAL
            assert self.room.controls.objection(
                account_id=ACCOUNT, bot_id=order.bot_id, symbol=order.symbol, is_manual=is_manual
            ) is None  # fmt: skip
            if order.bot_id == HOUSE:
                return  # it settles a difference: one is no reason against it
            assert books.account_objection(ACCOUNT) is None
            assert books.bots[order.bot_id].state is BotState.RUNNING or is_manual
            return
        self.checks.check_exit(request, order)

    def teardown(self) -> None:
        """In the end all is well again, and everything is known, booked and closed."""
        try:
            self._settle()
        finally:
            self.room.close()
        super().teardown()

    def _settle(self) -> None:
        room = self.room
        room.start()
        room.venue.heal()
        room.venue.keeps_markets = False
        for bot_id in BOT_IDS:
            room.desk.cancel_entries(bot_id, room.market)
        at_rest = 0
        for _round in range(SETTLING_ROUNDS):
            room.clock.advance(31)
            room.venue.tick()
            self._settle_once()
            self.books_hold()
            at_rest = at_rest + 1 if self.checks.is_settled() else 0
            if at_rest == ROUNDS_AT_REST:
                return
        self.checks.check_settled()

    def _settle_once(self) -> None:
        for bot_id in BOT_IDS:
            self.room.desk.close_position(bot_id, self.room.market, "end")
        self._look()

    # --- by the way ------------------------------------------------------------------------------

    def _do(self, call: Callable[[], object]) -> None:
        self.room.do(call)

    def _ask(self, call: Callable[[], object]) -> None:
        """What a person asks for may be refused, with a reason."""

        def asked() -> None:
            try:
                call()
            except (ConfigError, NotFound, ValidationError):
                return

        self._do(asked)

    def _way_of(self, bot_id: str) -> PositionSide:
        """The side that the bot holds, or is about to take."""
        position = self.room.books.positions.get(bot_id)
        if position is not None:
            return position.side
        orders = self.room.books.working_orders(bot_id)
        entries = [one for one in orders if one.purpose is Purpose.ENTRY]
        is_short = any(one.side is Side.SELL for one in entries)
        return PositionSide.SHORT if is_short else PositionSide.LONG

    def _price(self, symbol: str) -> tuple[Decimal, Decimal]:
        """The tick and the last price."""
        market = self.room.market
        return market.instrument(symbol).price_tick, market.quote(symbol).last

    def _look(self) -> None:
        for bot_id in BOT_IDS:
            self._do(lambda bot_id=bot_id: self.room.desk.advance(  # type: ignore[misc]
                bot_id, self.room.market))  # fmt: skip

    def _clear_the_way(self, bot_id: str) -> None:
        self.room.venue.is_down = False
        if self.room.controls.level is not KillLevel.NONE:
            self._do(lambda: self.room.controls.set(KillLevel.NONE, "person"))
        if self.room.books.bots[bot_id].state is not BotState.RUNNING:
            self._set_state(bot_id, BotState.RUNNING)

    def _set_state(self, bot_id: str, state: BotState) -> None:
        def save() -> None:
            with self.room.books.writing() as writing:
                writing.save_bot(bot_id, state=state)

        self._do(save)

    def _expect(
        self, submit: Trouble | None, cancel: Trouble | None = None, *, after_s: int = 1
    ) -> None:
        """What happens to the next order, and the next cancel, once some time has passed."""
        self.room.clock.advance(after_s)
        if submit is not None:
            self.room.venue.submits.append(submit)
        if cancel is not None:
            self.room.venue.cancels.append(cancel)


class RestingDeskMachine(DeskMachine):
    """The venue keeps stops."""

    rests_protection = True


class PairingDeskMachine(DeskMachine):
    """The venue keeps pairs of stop and target."""

    has_oco = rests_protection = True
