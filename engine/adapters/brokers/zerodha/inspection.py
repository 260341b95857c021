"""What Kite says of an account, its key and its login."""

from collections.abc import Callable
from decimal import Decimal

from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.broker import ZerodhaBroker
from engine.adapters.brokers.zerodha.client import NAME, KiteClient
from engine.adapters.brokers.zerodha.errors import LOG_IN, STATIC_IP
from engine.adapters.brokers.zerodha.login import session_end
from engine.adapters.brokers.zerodha.market import ZerodhaMarket
from engine.adapters.brokers.zerodha.options import ZerodhaOptions
from engine.domain.money import text
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection
from engine.errors import AccessDenied, BrokerError, BrokerUnavailable, DataError

MOST_SKEW_S = 30.0
WELL_KNOWN = "INFY"
PAID_APP = "Prices and candles need the paid app of developers.kite.trade, and the day's login."
NEEDED_TYPES = frozenset({"MARKET", "LIMIT", "SL", "SL-M"})


class Inspector:
    """Asks what an account may do; what fails is a failed check."""

    def __init__(
        self,
        client: KiteClient,
        market: ZerodhaMarket,
        broker: ZerodhaBroker,
        options: ZerodhaOptions,
    ) -> None:
        self._client = client
        self._market = market
        self._broker = broker
        self._options = options

    def inspect(self) -> Inspection:
        """All checks; raises nothing of the venue's."""
        balances: dict[str, Decimal] = {}

        def balance() -> AccountCheck:
            for asset, held in self._broker.balances().items():
                balances[asset] = held.total
            cash = balances.get(read.CURRENCY, Decimal(0))
            grade = Grade.OK if cash > 0 else Grade.WARNING
            advice = "" if cash > 0 else "Add funds in Kite before bots trade with the account."
            return _check("Balance", grade, f"{text(cash)} {read.CURRENCY} are free.", advice)

        checks = [
            _tried("Login", self._login),
            _tried("Permissions", self._permissions),
            _tried("Balance", balance),
            _tried("Minimums", self._minimums),
            _tried("Prices", self._prices, PAID_APP),
            self._clock(),
            _check(
                "Registered address", Grade.UNKNOWN,
                "Kite does not tell from where it takes orders.", f"{STATIC_IP}.",
            ),
        ]  # fmt: skip
        # Kite Connect has no request that takes money out: no key can.
        return Inspection(
            checks=tuple(checks),
            balances=balances,
            can_withdraw=False,
            clock_skew_s=self._client.clock_skew_s(),
        )

    def _login(self) -> AccountCheck:
        profile = self._profile()
        ends = session_end(self._client.now()).astimezone(read.IST)
        who = read.words(profile, "user_id")
        detail = f"Logged in as {who} until {ends:%d %B, %H:%M} in India."
        return _check("Login", Grade.OK, detail, f"After that, {LOG_IN}.")

    def _permissions(self) -> AccountCheck:
        profile, options = self._profile(), self._options
        missing = [
            name
            for field, names in (
                ("exchanges", {options.exchange.value}),
                ("products", {options.product.value}),
                ("order_types", NEEDED_TYPES),
            )
            for name in sorted(names - _names(profile, field))
        ]
        if missing:
            return _check(
                "Permissions", Grade.FAILED, f"The account may not use {', '.join(missing)}.",
                "Enable it in Zerodha's Console, or choose another exchange or product.",
            )  # fmt: skip
        detail = f"Orders of shares on {options.exchange.value} as {options.product.value}."
        return _check("Permissions", Grade.OK, detail, "")

    def _minimums(self) -> AccountCheck:
        count = len(self._market.instruments())
        detail = f"{count} shares on {self._options.exchange.value}; an order is one share or more."
        return _check("Minimums", Grade.OK, detail, "")

    def _prices(self) -> AccountCheck:
        """Of any share: an app without the right gets none."""
        symbols = [one.symbol for one in self._market.instruments()]
        quote = self._market.quote(WELL_KNOWN if WELL_KNOWN in symbols else symbols[0])
        detail = f"{quote.symbol} is at {text(quote.last)} {read.CURRENCY}."
        return _check("Prices", Grade.OK, detail, "")

    def _clock(self) -> AccountCheck:
        skew_s = self._client.clock_skew_s()
        if skew_s is None:
            return _check("Clock", Grade.UNKNOWN, "Kite did not tell its time.", "")
        is_right = abs(skew_s) <= MOST_SKEW_S
        advice = "" if is_right else "Set this machine's time by the internet's (NTP)."
        grade = Grade.OK if is_right else Grade.WARNING
        return _check("Clock", grade, f"Our clock is off Kite's by {skew_s:+.0f} s.", advice)

    def _profile(self) -> read.Row:
        try:
            return read.row(self._client.ask("profile"))
        except read.Unreadable as error:
            raise BrokerUnavailable(f"{NAME}: the profile cannot be read.") from error


def _names(profile: read.Row, field: str) -> set[str]:
    told = profile.get(field)
    if not isinstance(told, list):
        raise BrokerUnavailable(f"{NAME}: the profile does not tell {field}.")
    return {name for name in told if isinstance(name, str)}


def _tried(
    name: str, look: Callable[[], AccountCheck], advice: str = "Try again in a minute."
) -> AccountCheck:
    """A check, failed when the venue does not answer it."""
    try:
        return look()
    except AccessDenied as error:
        return _check(name, Grade.FAILED, error.message, f"Please {LOG_IN}.")
    except (BrokerError, DataError) as error:
        return _check(name, Grade.FAILED, error.message, advice)
    except read.Unreadable as error:
        return _check(name, Grade.FAILED, f"{NAME}: {error}.", advice)


def _check(name: str, grade: Grade, detail: str, advice: str) -> AccountCheck:
    return AccountCheck(name=name, grade=grade, detail=detail, advice=advice)
