"""What Alpaca says of an account and its key, as checks with advice."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.client import AlpacaClient
from engine.adapters.brokers.alpaca.hours import MarketHours
from engine.adapters.brokers.alpaca.market import AlpacaMarket
from engine.adapters.brokers.alpaca.reading import understood
from engine.domain.instruments import InstrumentKind
from engine.domain.money import text, utc_text
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection
from engine.errors import QuarterdeckError
from engine.ports import Balance, Broker, Clock

SKEW_S = 2.0
PDT_EQUITY = Decimal(25_000)
BLOCKS = {
    "trading_blocked": "Alpaca has blocked its trading",
    "account_blocked": "Alpaca has blocked it",
    "trade_suspended_by_user": "its owner has suspended its trading",
}


class Inspector:
    """Asks once and says all of it; a question that fails is a failed check."""

    def __init__(
        self,
        client: AlpacaClient,
        market: AlpacaMarket,
        broker: Broker,
        hours: MarketHours,
        clock: Clock,
    ) -> None:
        self._client = client
        self._market = market
        self._broker = broker
        self._hours = hours
        self._clock = clock

    def inspect(self) -> Inspection:
        """All checks, what the account holds, and how far our clock is off. Raises nothing."""
        checks: list[AccountCheck] = []
        try:
            account = understood(read.row, self._client.ask("/account"))
            checks += understood(lambda: list(_of_account(account, self._market.kind)))
        except QuarterdeckError as error:
            checks.append(_failed("Key", error, "Make a new key at alpaca.markets and enter it."))
            return Inspection(checks=tuple(checks))
        balances, clock_check, skew_s = self._balances(checks), *self._clock_check()
        checks += [clock_check, self._prices(), _withdrawals()]
        return Inspection(
            checks=tuple(checks),
            balances={asset: one.total for asset, one in balances.items()},
            clock_skew_s=skew_s,
        )

    def _balances(self, checks: list[AccountCheck]) -> dict[str, Balance]:
        try:
            held = dict(self._broker.balances())
        except QuarterdeckError as error:
            checks.append(_failed("Balance", error, "Try again in a minute."))
            return {}
        told = ", ".join(f"{text(one.total)} {asset}" for asset, one in held.items())
        checks.append(AccountCheck(name="Balance", grade=Grade.OK, detail=told))
        return held

    def _clock_check(self) -> tuple[AccountCheck, float | None]:
        before = self._clock.now()
        try:
            session = self._hours.ask()
        except QuarterdeckError as error:
            return _failed("Clock", error, "Try again in a minute."), None
        ours = before + (self._clock.now() - before) / 2
        skew_s = (ours - session.told_at).total_seconds()
        state = "open" if session.is_open else f"closed until {utc_text(session.next_open)}"
        detail = f"{skew_s:+.1f} s from Alpaca's; the stock market is {state}"
        if abs(skew_s) <= SKEW_S:
            return AccountCheck(name="Clock", grade=Grade.OK, detail=detail), skew_s
        advice = "Let this machine set its clock by the network (NTP)."
        check = AccountCheck(name="Clock", grade=Grade.WARNING, detail=detail, advice=advice)
        return check, skew_s

    def _prices(self) -> AccountCheck:
        symbol = "AAPL" if self._market.kind is InstrumentKind.STOCK else "BTC/USD"
        try:
            listed = len(self._market.instruments())
            quote = self._market.quote(symbol)
        except QuarterdeckError as error:
            advice = "The feed 'sip' needs a subscription; 'iex' comes with every account."
            return _failed("Prices", error, advice)
        detail = f"{listed} symbols; {symbol} at {text(quote.last)}, {_age(quote.time)}"
        return AccountCheck(name="Prices", grade=Grade.OK, detail=detail)


def _of_account(account: read.Row, kind: InstrumentKind) -> Iterator[AccountCheck]:
    """What the account itself says. Raises Unreadable."""
    status = read.words(account, "status")
    if kind is InstrumentKind.CRYPTO:
        status = str(account.get("crypto_status", "not enabled"))
    blocked = [words for name, words in BLOCKS.items() if read.is_set(account, name)]
    if status != "ACTIVE" or blocked:
        told = "; ".join([f"its status is {status}", *blocked])
        yield AccountCheck(
            name="Permissions", grade=Grade.FAILED, detail=f"The account cannot trade: {told}",
            advice="Open the account's page at alpaca.markets, and enable what it asks for.",
        )  # fmt: skip
    else:
        yield AccountCheck(name="Permissions", grade=Grade.OK, detail="The account may trade")
    if kind is InstrumentKind.STOCK:
        yield from _day_trading(account)
        is_allowed = read.is_set(account, "shorting_enabled")
        yield AccountCheck(
            name="Shorts", grade=Grade.OK,
            detail=("Allowed by Alpaca, " if is_allowed else "Not allowed by Alpaca; ")
            + "never used: a sale only ever closes what is held",
        )  # fmt: skip
    power = text(read.signed(account, "buying_power"))
    yield AccountCheck(name="Buying power", grade=Grade.OK, detail=f"{power} USD")


def _day_trading(account: read.Row) -> Iterator[AccountCheck]:
    """Whether sales may be refused on the day of the purchase; accounts for which the rule of
    pattern day traders has ended are not told of it any more. Raises Unreadable."""
    if account.get("pattern_day_trader") is None:
        return
    equity = read.signed(account, "equity")
    if not read.is_set(account, "pattern_day_trader"):
        detail = "Not marked as a pattern day trader"
        yield AccountCheck(name="Day trading", grade=Grade.OK, detail=detail)
    elif equity >= PDT_EQUITY:
        detail = f"Marked as a pattern day trader, with {text(equity)} USD of equity"
        yield AccountCheck(name="Day trading", grade=Grade.OK, detail=detail)
    else:
        yield AccountCheck(
            name="Day trading", grade=Grade.WARNING,
            detail=f"Marked as a pattern day trader, with only {text(equity)} USD of equity",
            advice="Below 25,000 USD Alpaca may refuse to sell on the day of the purchase: choose"
            " timeframes that hold overnight.",
        )  # fmt: skip


def _withdrawals() -> AccountCheck:
    return AccountCheck(
        name="Withdrawals", grade=Grade.OK,
        detail="A key of Alpaca's trades; no money can be moved out with it",
    )  # fmt: skip


def _failed(name: str, error: QuarterdeckError, advice: str) -> AccountCheck:
    return AccountCheck(name=name, grade=Grade.FAILED, detail=error.message, advice=advice)


def _age(moment: datetime) -> str:
    return f"as of {utc_text(moment.replace(microsecond=0))}"
