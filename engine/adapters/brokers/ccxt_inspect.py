"""What a look at an account finds, put together from one question to its exchange after another."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from engine.domain.money import text
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection
from engine.errors import AccessDenied, QuarterdeckError
from engine.ports import Balance, MarketData

T = TypeVar("T")
SKEW_NOTED_S = 1.0
MAIN_SYMBOLS = ("BTC/USDT", "ETH/USDT", "BTC/USDC", "BTC/USD", "BTC/EUR")
MOST_SYMBOLS = 3
MOST_ASSETS = 6
KEY_ADVICE = (
    "Check that key and secret were copied whole, belong to this exchange and mode, may read and "
    "trade spot, and that an address limit of the key allows this machine."
)
WAIT_ADVICE = "Check the connection and the exchange's status page, then test again."
CLOCK_ADVICE = "Switch on the automatic time of this machine (NTP)."


class Findings:
    """Checks as they come; a question that fails is a failed check, and the next is asked."""

    def __init__(self) -> None:
        self._checks: list[AccountCheck] = []
        self.balances: Mapping[str, Balance] = {}
        self.can_withdraw: bool | None = None
        self.skew_s: float | None = None

    def add(self, name: str, grade: Grade, detail: str, advice: str = "") -> None:
        """Note a check; whoever shows it ends the sentence."""
        told = detail.rstrip(".")
        self._checks.append(AccountCheck(name=name, grade=grade, detail=told, advice=advice))

    def asked(self, name: str, question: Callable[[], T]) -> T | None:
        """The answer; None after a failure, which is noted under ``name``."""
        try:
            return question()
        except QuarterdeckError as error:
            advice = KEY_ADVICE if isinstance(error, AccessDenied) else WAIT_ADVICE
            self.add(name, Grade.FAILED, error.message, advice)
            return None

    def clock(self, lead_ms: int, window_ms: int) -> None:
        """Grade our clock: ``lead_ms`` is how far the venue's is ahead of it."""
        self.skew_s = -lead_ms / 1000
        off_s = abs(self.skew_s)
        told = f"This machine's clock is {off_s:.1f} s {'ahead of' if lead_ms < 0 else 'behind'}"
        told += " the exchange's."
        if off_s >= window_ms / 1000:
            self.add("Clock", Grade.FAILED, told, CLOCK_ADVICE)
        elif off_s > SKEW_NOTED_S:
            self.add("Clock", Grade.WARNING, told, CLOCK_ADVICE)
        else:
            self.add("Clock", Grade.OK, f"Within {SKEW_NOTED_S:.0f} s of the exchange's.")

    def withdrawals(self, *, can_withdraw: bool) -> None:
        """Note whether the key can send money away."""
        self.can_withdraw = can_withdraw
        if can_withdraw:
            self.add(
                "Withdrawals", Grade.FAILED, "This key can withdraw money.",
                "Make a key at the exchange that may read and trade only, and enter that one.",
            )  # fmt: skip
        else:
            self.add("Withdrawals", Grade.OK, "This key cannot withdraw.")

    def holds(self, balances: Mapping[str, Balance]) -> None:
        """Note what there is to trade with."""
        self.balances = {asset: held for asset, held in balances.items() if held.total}
        if not self.balances:
            self.add(
                "Balance", Grade.WARNING, "The spot account is empty.",
                "Move money to the spot account at the exchange before a bot trades.",
            )  # fmt: skip
            return
        named = [f"{text(held.total)} {asset}" for asset, held in self.balances.items()]
        more = f" and {len(named) - MOST_ASSETS} more" if len(named) > MOST_ASSETS else ""
        self.add("Balance", Grade.OK, ", ".join(named[:MOST_ASSETS]) + more + ".")

    def minimums(self, market: MarketData) -> None:
        """Note the smallest orders of the main symbols."""
        listed = self.asked("Minimums", market.instruments)
        if listed is None:
            return
        by_symbol = {each.symbol: each for each in listed}
        main = [by_symbol[symbol] for symbol in MAIN_SYMBOLS if symbol in by_symbol]
        said = [
            f"{each.symbol} {text(each.min_notional)} {each.quote}"
            if each.min_notional
            else f"{each.symbol} {text(each.min_quantity or each.quantity_step)} {each.base}"
            for each in (main or list(listed))[:MOST_SYMBOLS]
        ]
        if said:
            self.add("Minimums", Grade.OK, "Smallest order: " + ", ".join(said) + ".")
        else:
            self.add("Minimums", Grade.FAILED, "The exchange lists no spot symbol.", WAIT_ADVICE)

    def inspection(self) -> Inspection:
        """All of it."""
        totals: dict[str, Decimal] = {asset: held.total for asset, held in self.balances.items()}
        return Inspection(
            checks=tuple(self._checks),
            balances=totals,
            can_withdraw=self.can_withdraw,
            clock_skew_s=self.skew_s,
        )
