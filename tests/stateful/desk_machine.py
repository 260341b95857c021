"""The order desk under any sequence of commands, troubles of the venue, crashes and full disks."""

from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from engine.domain.bots import BotState
from engine.domain.money import ONE
from engine.domain.orders import OrderRequest, OrderState
from engine.domain.positions import PositionSide
from engine.domain.records import KillLevel
from engine.errors import StoreError
from tests.fakes.venue_model import FeeIn, Trouble
from tests.stateful.counting import CountingMachine
from tests.stateful.desk_checks import OURS, DeskChecks
from tests.stateful.desk_room import ACCOUNT, BOT_IDS, BTC, ETH, PRICES, Crash, DeskRoom

BOTS = st.sampled_from(BOT_IDS)
SYMBOLS = st.sampled_from([BTC.symbol, ETH.symbol])
WAITS_S = st.sampled_from([1, 1, 5, 12, 31, 61])
DEPTHS = st.sampled_from([None, None, "0.01", "0.3", "1.5"])
SETTLING_ROUNDS = 12


class DeskMachine(CountingMachine):
    """Three bots on one account of a venue that keeps protection itself or not."""

    has_oco = False
    rests_protection = False

    def __init__(self) -> None:
        super().__init__()
        self.room = DeskRoom(has_oco=self.has_oco, rests_protection=self.rests_protection)
        self.room.venue.before_submit = self.sees_request
        self.checks = DeskChecks(self.room)

    # --- what the engine does ---------------------------------------------------------------------

    @rule(bot_id=BOTS, side=st.sampled_from(list(PositionSide)), size=st.sampled_from([1.0, 0.4]))
    def enter(self, bot_id: str, side: PositionSide, size: float) -> None:
        """A cycle decides on an entry, or on one more."""
        self.room.clock.advance(1)
        self.room.do(lambda: self._enter(bot_id, side, size))

    def _enter(self, bot_id: str, side: PositionSide, size: float) -> None:
        books, desk, now = self.room.books, self.room.desk, self.room.clock.now()
        position = books.positions.get(bot_id)
        if desk.has_entry(bot_id) or desk.is_closing(bot_id):
            return
        if position is not None:
            side = position.side
        elif bot_id != "both":
            side = PositionSide.LONG
        with books.writing() as writing:
            desk.plan_entry(writing, books.bots[bot_id], side, size=size, candle_time=now,
                            decided_at=now)  # fmt: skip
        desk.advance(bot_id, self.room.market)

    @rule(bot_id=BOTS)
    def reverse(self, bot_id: str) -> None:
        """A cycle decides on the other side: out, and in again with the proceeds."""
        self.room.clock.advance(1)
        self.room.do(lambda: self._reverse(bot_id))

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

    @rule(bot_id=BOTS, fraction=st.sampled_from([ONE, ONE, Decimal("0.5"), Decimal("0.07")]))
    def close(self, bot_id: str, fraction: Decimal) -> None:
        """The watcher, or a person, closes the position or a part of it."""
        room = self.room
        room.do(lambda: room.desk.close_position(bot_id, room.market, "stop", fraction=fraction))

    @rule(seconds=WAITS_S)
    def look(self, seconds: int) -> None:
        """Time passes and the watcher looks at every bot."""
        self.room.clock.advance(seconds)
        self._look()

    @rule(bot_id=BOTS)
    def cancel_entries(self, bot_id: str) -> None:
        """What is not filled is taken back."""
        self.room.do(lambda: self.room.desk.cancel_entries(bot_id, self.room.market))

    @rule(level=st.sampled_from([*KillLevel, KillLevel.NONE, KillLevel.NONE]))
    def control(self, level: KillLevel) -> None:
        """A person pulls a switch, or releases it."""
        self.room.do(lambda: self.room.controls.set(level, "person"))

    @rule(bot_id=BOTS, state=st.sampled_from([BotState.RUNNING, BotState.PAUSED]))
    def set_state(self, bot_id: str, state: BotState) -> None:
        """A person pauses a bot, or lets it run."""

        def save() -> None:
            with self.room.books.writing() as writing:
                writing.save_bot(bot_id, state=state)

        self.room.do(save)

    @rule(times=st.integers(0, 2), is_backwards=st.booleans())
    def hear(self, times: int, is_backwards: bool) -> None:
        """The stream tells its news: not at all, once, twice, backwards."""
        news = list(self.room.venue.news) * times
        self.room.venue.news.clear()
        for report in reversed(news) if is_backwards else news:
            self.room.do(lambda report=report: self.room.desk.hear(  # type: ignore[misc]
                ACCOUNT, report, self.room.market))  # fmt: skip

    # --- what goes wrong --------------------------------------------------------------------------

    @rule()
    def crash(self) -> None:
        """Nothing was under way."""
        self.room.start()

    @rule(number=st.integers(1, 6), is_before=st.booleans())
    def crash_at(self, number: int, is_before: bool) -> None:
        """The engine will die at one of its next commits."""
        self.room.fail_commit(number, is_before=is_before, error=Crash())

    @rule(number=st.integers(1, 6))
    def fill_the_disk(self, number: int) -> None:
        """One of the next commits will be refused."""
        error = StoreError("The disk is full. Nothing was written.")
        self.room.fail_commit(number, is_before=True, error=error)

    @rule(submit=st.sampled_from(list(Trouble)), is_next=st.booleans())
    def trouble_submit(self, submit: Trouble, is_next: bool) -> None:
        """One of the next orders gets into trouble."""
        self.room.venue.submits.extend([submit] if is_next else [submit, submit])

    @rule(cancel=st.sampled_from([Trouble.UNAVAILABLE, Trouble.LOST_BEFORE, Trouble.LOST_AFTER]))
    def trouble_cancel(self, cancel: Trouble) -> None:
        """The next cancel gets into trouble."""
        self.room.venue.cancels.append(cancel)

    @rule(is_down=st.booleans())
    def cut(self, is_down: bool) -> None:
        """The venue cannot be reached, or can again."""
        self.room.venue.is_down = is_down

    @rule(symbol=SYMBOLS, per_mille=st.integers(-40, 40))
    def move(self, symbol: str, per_mille: int) -> None:
        """The price moves, and what rests is matched."""
        market = self.room.market
        tick = market.instrument(symbol).price_tick
        before = market.quote(symbol).last
        price = (before * (1000 + per_mille) / 1000).quantize(tick)
        floor = Decimal(PRICES[symbol]) / 4
        market.set_price(symbol, str(max(price, floor)))
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

    # --- what must hold ---------------------------------------------------------------------------

    @invariant()
    def books_hold(self) -> None:
        self.checks.check()

    def sees_request(self, request: OrderRequest) -> None:
        """At the moment of sending: it is durable, allowed, and no exit exceeds what is held."""
        order = self.room.store.rows("orders")[request.client_id]
        assert order.state is OrderState.SENDING, order
        books = self.room.books
        if not request.reduce_only:
            assert self.room.controls.objection(
                account_id=ACCOUNT, bot_id=order.bot_id, symbol=order.symbol
            ) is None  # fmt: skip
            assert books.bots[order.bot_id].state is BotState.RUNNING
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
        for _round in range(SETTLING_ROUNDS):
            room.clock.advance(31)
            room.venue.tick()
            for bot_id in BOT_IDS:
                room.desk.close_position(bot_id, room.market, "end")
            self._look()
            self.checks.check()
        self.checks.check_settled()

    def _look(self) -> None:
        for bot_id in BOT_IDS:
            self.room.do(lambda bot_id=bot_id: self.room.desk.advance(  # type: ignore[misc]
                bot_id, self.room.market))  # fmt: skip


class RestingDeskMachine(DeskMachine):
    """The venue keeps stops."""

    rests_protection = True


class PairingDeskMachine(DeskMachine):
    """The venue keeps pairs of stop and target."""

    has_oco = rests_protection = True
