"""The desk with its reconciler, on an account that a person trades on too."""

from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import rule

from engine.domain.accounts import FindingKind, Resolution
from engine.domain.orders import Side
from engine.errors import BrokerError, ConfigError
from tests.fakes.venue_model import THIRD, FeeIn, Trouble
from tests.stateful.desk_machine import BOTS, DEPTHS, SYMBOLS, DeskMachine
from tests.stateful.desk_room import DeskRoom

ORDINARY_FEES = [FeeIn.QUOTE, FeeIn.RECEIVED]


class AccountMachine(DeskMachine):
    """After a start the account takes no entries until it has been checked; a person's trades and
    payments are found, booked and decided about."""

    def __init__(self) -> None:
        super().__init__()
        self._by_hand = 0

    def make_room(self) -> DeskRoom:
        return DeskRoom(is_reconciled=True)

    @rule(depth=DEPTHS, parts=st.integers(1, 3), fee_in=st.sampled_from(ORDINARY_FEES),
          is_jumbled=st.booleans(), keeps_markets=st.booleans())  # fmt: skip
    def change_ways(
        self, depth: str | None, parts: int, fee_in: FeeIn, is_jumbled: bool, keeps_markets: bool
    ) -> None:
        """As before, but for fees in a third asset: of trades by hand that nearly cancel out they
        can be all that is seen, which a person then decides about without knowing the trades."""
        super().change_ways(depth, parts, fee_in, is_jumbled, keeps_markets)

    @rule(asks=st.sampled_from([None, None, None, Trouble.DENIED, Trouble.UNAVAILABLE]))
    def reconcile(self, asks: Trouble | None) -> None:
        """Both sides are compared."""
        if asks is not None:
            self.room.venue.asks.append(asks)
        self._do(self.room.check)

    @rule(symbol=SYMBOLS, side=st.sampled_from(list(Side)), tenths=st.integers(3, 6))
    def trade_by_hand(self, symbol: str, side: Side, tenths: int) -> None:
        """A person buys or sells a little at the venue itself; never twice as much, since trades
        that cancel out to the last digit may stay unseen."""
        self.room.clock.advance(1)
        self._by_hand += 1
        quantity = Decimal(tenths) / 10 + Decimal(self._by_hand) / 100
        self.room.venue.trade_by_hand(symbol, side, quantity)

    @rule(asset=st.sampled_from(["USDT", "BTC", THIRD]), cents=st.integers(-20, 20))
    def pay(self, asset: str, cents: int) -> None:
        """A deposit or a withdrawal."""
        self.room.clock.advance(1)
        if cents:
            self.room.venue.pay(asset, Decimal(cents) / 100)

    @rule(which=st.integers(0, 20), resolution=st.sampled_from(list(Resolution)), bot_id=BOTS)
    def decide(self, which: int, resolution: Resolution, bot_id: str) -> None:
        """A person decides about a difference; what makes no sense is refused."""
        findings = sorted(self.room.books.findings)
        if findings:
            self._do(lambda: self._resolve(findings[which % len(findings)], resolution, bot_id))

    def _resolve(self, finding_id: str, resolution: Resolution, bot_id: str) -> None:
        try:
            self.room.reconciler.resolve(finding_id, resolution, "person", bot_id)
        except (ConfigError, BrokerError):  # it makes no sense, or the venue does not answer
            return

    def _clear_the_way(self, bot_id: str) -> None:
        super()._clear_the_way(bot_id)
        self._do(self._agree)

    def _agree(self) -> None:
        self.room.check()
        for finding_id, finding in sorted(self.room.books.findings.items()):
            # Amounts cannot be ignored; as when two trades by hand leave nothing but their fees.
            is_amount = finding.kind is FindingKind.BALANCE
            self._resolve(finding_id, Resolution.ADOPT if is_amount else Resolution.IGNORE, "")

    def _settle_once(self) -> None:
        self._agree()
        super()._settle_once()
