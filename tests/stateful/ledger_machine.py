"""The domain's ledger under any sequence of fills, fees, funding, dust and payments."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from engine.domain.accounts import AccountLine, LineKind, add_up, fill_effect
from engine.domain.bots import Bot
from engine.domain.ledger import (
    apply_fill,
    apply_funding,
    closed_trade,
    entry_side,
    exit_side,
    is_dust,
    leave_dust,
    merge_entry,
    open_pnl,
    opened_position,
    owned_quantity,
    realised_pnl,
)
from engine.domain.money import ONE, ZERO, ceil_to, floor_to
from engine.domain.orders import Purpose, Side
from engine.domain.positions import Fill, Position, PositionEntry, PositionSide, Trade
from engine.domain.sizing import BPS, affordable_quantity
from tests.fakes.clock import START
from tests.stateful.counting import CountingMachine
from tests.unit.samples import bot, instrument

RULES = instrument()
BASE, QUOTE, THIRD = RULES.base, RULES.quote, "BNB"
THIRD_PRICE = Decimal(500)
FEE_RATE = Decimal("0.001")
FEE_STEP = Decimal("1e-8")
OPENING = {QUOTE: Decimal(100_000), BASE: Decimal(3), THIRD: Decimal(10)}
ALMOST = Decimal("1e-14")
"""Averages are quotients, which have 28 digits and no more; every other sum is exact."""

STEPS = st.integers(1, 500_000)
TICKS = st.integers(500, 2_000_000)
FEES = st.sampled_from([QUOTE, BASE, THIRD])
SUMS = ("side", "quantity", "entry_quantity", "entry_value", "exit_quantity", "exit_value", "fees",
        "entry_count", "is_open")  # fmt: skip


@dataclass(frozen=True)
class Dust:
    """The moment at which a position's rest was set apart."""

    id: str
    time_s: int


@dataclass(frozen=True)
class Funding:
    """Received for a position, in quote."""

    id: str
    amount: Decimal


Happening = Fill | AccountLine | Dust | Funding


@dataclass
class Keeper:
    """Books kept with the domain's functions alone; every happening is booked once."""

    owner: Bot = field(default_factory=bot)
    seen: set[str] = field(default_factory=set)
    totals: dict[str, Decimal] = field(default_factory=lambda: dict(OPENING))
    position: Position | None = None
    entries: dict[str, PositionEntry] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)

    def book(self, what: Happening) -> None:
        """Once, however often it is told."""
        if what.id in self.seen:
            return
        self.seen.add(what.id)
        if isinstance(what, Fill):
            self._book_fill(what)
        elif isinstance(what, AccountLine):
            self._move({what.asset: what.amount})
        elif isinstance(what, Funding):
            self._move({QUOTE: what.amount})
            if self.position is not None:
                self.position = apply_funding(self.position, what.amount)
        elif self.position is not None:
            moment = START + timedelta(seconds=what.time_s)
            self._close(leave_dust(self.position, moment))

    def _book_fill(self, fill: Fill) -> None:
        self._move(fill_effect(fill.side, BASE, QUOTE, fill.price, fill.quantity, fill.fee,
                               fill.fee_asset))  # fmt: skip
        position = apply_fill(self.position or opened_position(fill), fill, BASE, QUOTE)
        if fill.purpose is Purpose.ENTRY:
            known = self.entries.get(fill.client_id)
            self.entries[fill.client_id] = merge_entry(known, fill, BASE)
            count = position.entry_count + (known is None)
            position = position.model_copy(update={"entry_count": count})
        self.position = position
        if not position.is_open:
            self._close(position)

    def _close(self, position: Position) -> None:
        self.trades.append(closed_trade(self.owner, position, QUOTE, "signal"))
        self.position, self.entries = None, {}

    def _move(self, effect: dict[str, Decimal]) -> None:
        self.totals = add_up([self.totals, effect])


class LedgerMachine(CountingMachine):
    """One bot on one account; what it did is counted beside, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.keeper = Keeper()
        self.story: list[Happening] = []
        self.chapter: list[Fill] = []  # the fills of the open position
        self.held = self.cash = self.third_fees = self.dust = self.paid = ZERO
        self.price = Decimal(100)

    # --- what happens ----------------------------------------------------------------------------

    @rule(side=st.sampled_from(list(PositionSide)), steps=STEPS, ticks=TICKS, fee_in=FEES,
          is_same_order=st.booleans())  # fmt: skip
    def enter(
        self, side: PositionSide, steps: int, ticks: int, fee_in: str, is_same_order: bool
    ) -> None:
        """Open, or add to what is open, in one order or in another."""
        position = self.keeper.position
        side = position.side if position else side
        quantity = steps * RULES.quantity_step
        is_more = is_same_order and self.chapter and self.chapter[-1].purpose is Purpose.ENTRY
        number = self.chapter[-1].client_id if is_more else f"c{len(self.story)}"
        self._trade(entry_side(side), Purpose.ENTRY, quantity, ticks, fee_in, number)

    @precondition(lambda self: self.keeper.position is not None)
    @rule(percent=st.integers(1, 100), ticks=TICKS, fee_in=FEES)
    def exit(self, percent: int, ticks: int, fee_in: str) -> None:
        """Close a part, or all that is on the step."""
        position = self.keeper.position
        assert position is not None
        quantity = floor_to(position.quantity * percent / 100, RULES.quantity_step)
        if quantity > 0:
            self._trade(exit_side(position.side), Purpose.EXIT, quantity, ticks, fee_in,
                        f"c{len(self.story)}")  # fmt: skip

    @precondition(lambda self: self.keeper.position is not None)
    @rule()
    def leave(self) -> None:
        """What no order can trade is set apart."""
        position = self.keeper.position
        assert position is not None
        if is_dust(position.quantity, self.price, RULES):
            assert floor_to(position.quantity, RULES.quantity_step) * self.price < max(
                RULES.min_notional, RULES.quantity_step * self.price
            )
            self.dust += self.held
            self.held = ZERO
            self.chapter = []
            self._happen(Dust(f"d{len(self.story)}", len(self.story)))

    @precondition(lambda self: self.keeper.position is not None)
    @rule(cents=st.integers(-5_000, 5_000))
    def fund(self, cents: int) -> None:
        """Funding is received, or paid."""
        amount = Decimal(cents) / 100
        self.cash += amount
        self._happen(Funding(f"n{len(self.story)}", amount))

    @rule(asset=st.sampled_from([QUOTE, BASE, THIRD]), units=st.integers(-(10**6), 10**6))
    def pay(self, asset: str, units: int) -> None:
        """A deposit or a withdrawal, which is no bot's."""
        amount = Decimal(units) * FEE_STEP
        line = AccountLine(id=f"l{len(self.story)}", account_id="a", asset=asset, amount=amount,
                           kind=LineKind.DEPOSIT, time=START)  # fmt: skip
        self._happen(line)

    @precondition(lambda self: self.story)
    @rule(which=st.integers(0, 10**6))
    def hear_again(self, which: int) -> None:
        """The same is told once more."""
        before = self._state()
        self.keeper.book(self.story[which % len(self.story)])
        assert self._state() == before

    @precondition(lambda self: self.story)
    @rule(number=st.integers(0, 2**16))
    def replay(self, number: int) -> None:
        """All of it told again to new books, some of it twice: the same books."""
        random, again = Random(number), Keeper()
        for what in self.story:
            for _ in range(random.choice((1, 1, 2))):
                again.book(what)
        assert again.totals == self.keeper.totals
        assert again.position == self.keeper.position
        assert again.trades == self.keeper.trades

    @precondition(lambda self: self.chapter)
    @rule(number=st.integers(0, 2**16))
    def shuffle(self, number: int) -> None:
        """The open position's fills in another order: the same sums."""
        random, again = Random(number), Keeper()
        ways_in = [one for one in self.chapter if one.purpose is Purpose.ENTRY]
        ways_out = [one for one in self.chapter if one.purpose is Purpose.EXIT]
        random.shuffle(ways_in)
        random.shuffle(ways_out)
        for fill in (*ways_in, *ways_out, *ways_in):
            again.book(fill)
        one, other = self.keeper.position, again.position
        assert one is not None
        assert other is not None
        assert [getattr(one, name) for name in SUMS] == [getattr(other, name) for name in SUMS]
        assert again.entries.keys() == self.keeper.entries.keys()
        for key, entry in again.entries.items():
            assert dict(entry) | {"time": None} == dict(self.keeper.entries[key]) | {"time": None}

    @rule(cents=st.integers(1, 10**7), ticks=TICKS, fee_bps=st.integers(0, 100))
    def size(self, cents: int, ticks: int, fee_bps: int) -> None:
        """Rounding never spends more than was allowed, nor less than one step would change."""
        amount, price = Decimal(cents) / 100, ticks * RULES.price_tick
        one = price * (ONE + fee_bps / BPS)
        quantity = affordable_quantity(amount, price, Decimal(fee_bps), RULES)
        assert quantity % RULES.quantity_step == 0
        assert quantity * one <= amount
        assert (quantity + RULES.quantity_step) * one > amount

    # --- what must hold --------------------------------------------------------------------------

    @invariant()
    def every_asset_adds_up(self) -> None:
        """Start, payments, fills and fees: what the keeper says is held, told by hand."""
        lines = dict.fromkeys(OPENING, ZERO)
        for what in self.story:
            if isinstance(what, AccountLine):
                lines[what.asset] += what.amount
        assert self.keeper.totals == {
            QUOTE: OPENING[QUOTE] + lines[QUOTE] + self.cash,
            BASE: OPENING[BASE] + lines[BASE] + self.held + self.dust,
            THIRD: OPENING[THIRD] + lines[THIRD] - self.third_fees,
        }

    @invariant()
    def the_position_is_the_sum_of_its_fills(self) -> None:
        position = self.keeper.position
        if position is None:
            assert self.held == 0
            return
        assert position.is_open
        assert position.quantity > 0
        sign = 1 if position.side is PositionSide.LONG else -1
        assert sign * position.quantity == self.held
        assert position.quantity == position.entry_quantity - position.exit_quantity
        entries = self.keeper.entries.values()
        assert sum((one.quantity for one in entries), ZERO) == position.entry_quantity
        assert sum((one.value for one in entries), ZERO) == position.entry_value
        assert len(entries) == position.entry_count

    @invariant()
    def profit_is_what_equity_changed_by(self) -> None:
        """Closed trades and the open position together; a fee in a third asset at its value, and
        dust worth nothing."""
        position = self.keeper.position
        earned = sum((trade.pnl for trade in self.keeper.trades), ZERO)
        equity = self.cash + self.held * self.price - self.third_fees * THIRD_PRICE
        if position is None:
            assert earned == equity
            return
        assert earned + open_pnl(position, self.price) == equity
        unrealised = open_pnl(position, self.price) - realised_pnl(position)
        gain = self.price - position.average_price
        sign = 1 if position.side is PositionSide.LONG else -1
        assert abs(unrealised - sign * position.quantity * gain) <= ALMOST * max(abs(equity), ONE)

    # --- by hand ---------------------------------------------------------------------------------

    def _trade(
        self, side: Side, purpose: Purpose, quantity: Decimal, ticks: int, fee_in: str,
        client_id: str,
    ) -> None:  # fmt: skip
        price = ticks * RULES.price_tick
        position, number = self.keeper.position, len(self.story)
        fee = ceil_to(quantity * FEE_RATE * (ONE if fee_in == BASE else price), FEE_STEP)
        fee = ceil_to(fee / THIRD_PRICE, FEE_STEP) if fee_in == THIRD else fee
        fill = Fill(
            id=f"a:t{number}", account_id="a", trade_id=f"t{number}", client_id=client_id,
            bot_id="b0000001", position_id=position.id if position else f"p{number}",
            symbol=RULES.symbol, base=BASE, quote=QUOTE, side=side, purpose=purpose, price=price,
            quantity=quantity, fee=fee, fee_asset=fee_in,
            fee_value=fee * THIRD_PRICE if fee_in == THIRD else ZERO,
            time=START + timedelta(seconds=number),
        )  # fmt: skip
        if purpose is Purpose.EXIT and position and owned_quantity(fill, BASE) > position.quantity:
            return
        self.price = price
        sign = 1 if side is Side.BUY else -1
        self.held += sign * quantity - (fee if fee_in == BASE else ZERO)
        self.cash -= sign * quantity * price + (fee if fee_in == QUOTE else ZERO)
        self.third_fees += fee if fee_in == THIRD else ZERO
        self._happen(fill)
        self.chapter = [*self.chapter, fill] if self.keeper.position else []

    def _happen(self, what: Happening) -> None:
        self.story.append(what)
        self.keeper.book(what)

    def _state(self) -> tuple[object, ...]:
        keeper = self.keeper
        return dict(keeper.totals), keeper.position, dict(keeper.entries), list(keeper.trades)
