"""What a terminal says of an account: may it trade, is it the right one, what time is it there."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5 import reading as read
from engine.adapters.brokers.mt5.market import Mt5Market
from engine.adapters.brokers.mt5.session import Session, believed, no_trading
from engine.domain.instruments import Instrument
from engine.domain.money import text
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection
from engine.errors import DataError, QuarterdeckError

LOOKED_AT = 5  # symbols
WAITS_S = (0.0, 0.5, 1.0)
MOST_SKEW = timedelta(seconds=30)


class Inspector:
    """Asks the terminal of ``session``; what fails is a failed check."""

    def __init__(self, session: Session, market: Mt5Market, sleep: Callable[[float], None]) -> None:
        self._session = session
        self._market = market
        self._sleep = sleep

    def inspect(self) -> Inspection:
        """All checks, or the first that stands in the way of the others."""
        try:
            account = self._session.account()
            checks = [self._account(account), self._permissions(account)]
            symbols = self._market.instruments()
            checks += [self._symbols(symbols), self._clock(symbols), *self._minimums(symbols)]
            balances = self._balances(account)
        except QuarterdeckError as error:
            return Inspection(
                checks=(
                    AccountCheck(
                        name="Connection", grade=Grade.FAILED, detail=error.message,
                        advice="Put it right and test the account again.",
                    ),
                )
            )  # fmt: skip
        lag = self._market.server_time.lag
        return Inspection(
            checks=tuple(checks),
            balances=balances,
            can_withdraw=False,  # there is no such function
            clock_skew_s=None if lag is None else lag.total_seconds(),
        )

    @believed()
    def _account(self, account: read.Row) -> AccountCheck:
        kinds = {codes.DEMO: "demo", codes.CONTEST: "contest", codes.REAL: "real"}
        kind = kinds.get(read.whole(account, "trade_mode"), "unknown")
        keeps = "hedging" if self._session.login.is_hedging else "netting"
        return AccountCheck(
            name="Account", grade=Grade.OK,
            detail=f"{read.whole(account, 'login')} at {read.words(account, 'server')}: a {kind} "
            f"{keeps} account in {read.words(account, 'currency')}, leverage "
            f"1:{read.whole(account, 'leverage')}.",
        )  # fmt: skip

    @believed()
    def _permissions(self, account: read.Row) -> AccountCheck:
        terminal = self._session.terminal()
        if not read.flag(terminal, "connected"):
            return AccountCheck(
                name="Permissions", grade=Grade.FAILED,
                detail="The terminal has no connection to its broker.",
                advice="Look at the lower right corner of the terminal, and log in again there.",
            )  # fmt: skip
        reason = no_trading(terminal, account)
        if reason:
            what, _, advice = reason.partition(": ")
            return AccountCheck(
                name="Permissions", grade=Grade.FAILED,
                detail=f"{what.capitalize()}.", advice=f"{advice[:1].upper()}{advice[1:]}.",
            )  # fmt: skip
        return AccountCheck(
            name="Permissions", grade=Grade.OK,
            detail="Programs may trade. MetaTrader lets no program withdraw.",
        )  # fmt: skip

    @staticmethod
    def _symbols(symbols: Sequence[Instrument]) -> AccountCheck:
        if not symbols:
            return AccountCheck(
                name="Symbols", grade=Grade.FAILED, detail="Market Watch shows none.",
                advice="In the terminal, right-click Market Watch and choose the symbols to trade.",
            )  # fmt: skip
        return AccountCheck(
            name="Symbols", grade=Grade.OK, detail=f"Market Watch shows {len(symbols)}."
        )

    def _clock(self, symbols: Sequence[Instrument]) -> AccountCheck:
        """Prices that move tell the server's time; it is waited for them a little."""
        time = self._market.server_time
        for wait_s in WAITS_S:
            self._sleep(wait_s)
            for symbol in symbols[:LOOKED_AT]:
                try:
                    self._market.quote(symbol.symbol)
                except DataError:  # this one has no price: another may
                    continue
            if time.lag is not None:
                break
        said = f"The server's clock is {_offset(time.offset)}"
        if time.lag is None:
            return AccountCheck(
                name="Clock", grade=Grade.UNKNOWN,
                detail=f"{said}, as far as is known: no price moves now.",
                advice="Test again while the market is open, or set the time of the server.",
            )  # fmt: skip
        if not time.agrees:
            return AccountCheck(
                name="Clock", grade=Grade.WARNING,
                detail=f"{said} by its setting, but prices are "
                f"{_offset(time.measured or timedelta())}.",
                advice="Set the time of the server to 'auto', or to what the broker says.",
            )  # fmt: skip
        if abs(time.lag) > MOST_SKEW:
            return AccountCheck(
                name="Clock", grade=Grade.WARNING,
                detail=f"{said}. Prices are {time.lag.total_seconds():.0f} s behind our clock.",
                advice="Let this machine's time be set by itself (NTP).",
            )  # fmt: skip
        return AccountCheck(name="Clock", grade=Grade.OK, detail=f"{said}.")

    @staticmethod
    def _minimums(symbols: Sequence[Instrument]) -> list[AccountCheck]:
        if not symbols:
            return []
        told = ", ".join(_minimum(each) for each in symbols[:LOOKED_AT])
        return [AccountCheck(name="Minimums", grade=Grade.OK, detail=f"At least {told}.")]

    @believed()
    def _balances(self, account: read.Row) -> dict[str, Decimal]:
        return {read.words(account, "currency"): read.amount(account, "equity")}


def _minimum(listed: Instrument) -> str:
    base = "" if listed.base == listed.symbol else f" {listed.base}"
    return f"{text(listed.min_quantity)}{base} of {listed.symbol}"


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60}:{abs(minutes) % 60:02}"
