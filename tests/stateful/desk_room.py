"""The engine's real order desk over a store and an exchange in memory, made anew after a crash."""

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from engine.domain.accounts import AccountLine, AccountState, LineKind
from engine.domain.bots import Bot, Direction
from engine.domain.instruments import Instrument
from engine.errors import StoreError
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.order_desk import OrderDesk
from engine.services.reconcile import Reconciler
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket
from tests.fakes.memory_store import MemoryStore
from tests.fakes.venue_model import THIRD, THIRD_SYMBOL, VenueModel
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot, config

ACCOUNT = "test:model"
BTC = Instrument(
    symbol="BTC/USDT", base="BTC", quote="USDT", price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.0001"), min_quantity=Decimal("0.0001"), min_notional=Decimal(5),
    can_short=True,
)  # fmt: skip
ETH = Instrument(
    symbol="ETH/USDT", base="ETH", quote="USDT", price_tick=Decimal("0.1"),
    quantity_step=Decimal("0.01"), min_quantity=Decimal("0.01"), min_notional=Decimal(5),
)  # fmt: skip
BNB = Instrument(
    symbol=THIRD_SYMBOL, base=THIRD, quote="USDT", price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.01"),
)  # fmt: skip
OPENING = {"USDT": Decimal(10_000), "BTC": Decimal(60), "ETH": Decimal(60), THIRD: Decimal(1)}
PRICES = {"BTC/USDT": "100", "ETH/USDT": "20", THIRD_SYMBOL: "50"}
BOT_IDS = ("long", "both", "eth")


class Crash(BaseException):
    """The engine dies here."""


def sample_bots() -> list[Bot]:
    """Two bots that share a coin, one of which goes short too, and one with a coin of its own."""
    symbols = {"long": BTC.symbol, "both": BTC.symbol, "eth": ETH.symbol}
    return [
        bot(
            config(
                name=one, symbol=symbols[one], market="model", amount=Decimal(100), max_entries=3,
                stop_loss=Decimal("0.03"), take_profit=Decimal("0.06"),
                direction=Direction.BOTH if one == "both" else Direction.LONG,
            ),
            id=one, account_id=ACCOUNT,
        )
        for one in BOT_IDS
    ]  # fmt: skip


class DeskRoom:
    """What lasts - the store, the venue, the clock - and what a crash takes away."""

    def __init__(
        self, *, has_oco: bool = False, rests_protection: bool = False, is_reconciled: bool = False
    ) -> None:
        self.is_reconciled = is_reconciled
        self.clock = FakeClock()
        self.market = FakeMarket(self.clock, instruments=(BTC, ETH, BNB), market_id="model")
        for symbol, price in PRICES.items():
            self.market.set_price(symbol, price)
        self.venue = VenueModel(ACCOUNT, self.market, OPENING, has_oco=has_oco,
                                rests_protection=rests_protection)  # fmt: skip
        self.store = MemoryStore(self.clock.now)
        self._folder = tempfile.TemporaryDirectory(prefix="quarterdeck-")
        self.start()
        with self.books.writing() as writing:
            for one in sample_bots():
                writing.add_bot(one)
            for asset, amount in ({} if is_reconciled else OPENING).items():
                writing.add_line(
                    AccountLine(id=f"{ACCOUNT}:opening:{asset}", account_id=ACCOUNT, asset=asset,
                                amount=amount, kind=LineKind.OPENING, time=self.clock.now())
                )  # fmt: skip
        if is_reconciled:
            self.check()

    def start(self) -> None:
        """Everything in memory made anew from the store: what a start is, and a crash ends in."""
        self.store.before_commit = self.store.after_commit = None
        self.books = Books(self.store, self.clock)
        self.books.load()
        self.controls = Controls(self.books, Path(self._folder.name) / "KILL")
        self.controls.load()
        venues = FakeVenues(self.market, self.venue)
        self.desk = OrderDesk(self.books, venues, self.controls)
        self.reconciler = Reconciler(self.books, self.desk, venues)
        if self.is_reconciled:
            self.books.hold_until_checked()

    def check(self) -> AccountState:
        """Compare both sides of the account."""
        return self.reconciler.check(ACCOUNT, self.market, "test")

    def do(self, call: Callable[[], object]) -> None:
        """Let the engine do something: it may die over it, or not be able to write it down."""
        try:
            call()
        except Crash:
            self.start()
        except StoreError:
            pass  # said to whoever asked; the next look goes on from what is written

    def fail_commit(self, number: int, *, is_before: bool, error: BaseException) -> None:
        """Raise ``error`` at the ``number``-th commit from now on, before or after it counts."""
        left = number

        def hook() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.store.before_commit = self.store.after_commit = None
                raise error

        if is_before:
            self.store.before_commit = hook
        else:
            self.store.after_commit = hook

    def close(self) -> None:
        """Leave nothing behind."""
        self._folder.cleanup()
