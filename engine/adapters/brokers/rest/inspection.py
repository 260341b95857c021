"""What a described platform says of an account and its key; nothing is ordered."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from engine.adapters.brokers.rest.broker import RestBroker
from engine.adapters.brokers.rest.client import RestClient
from engine.adapters.brokers.rest.market import RestMarket
from engine.adapters.brokers.rest.reports import Reports
from engine.adapters.brokers.rest.words import Unreadable
from engine.domain.instruments import Instrument
from engine.domain.money import text
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection
from engine.errors import QuarterdeckError
from engine.ports import Balance, Clock

T = TypeVar("T")
SKEW_S = 1.0
NAMED = 3  # symbols whose minimums are told
ADVICE = "Correct the description, or the key; 'python -m engine brokers check' shows what answers."


class Inspector:
    """Asks what can be asked without ordering, one check after another; for one inspection."""

    def __init__(
        self, client: RestClient, market: RestMarket, broker: RestBroker, clock: Clock
    ) -> None:
        self._client = client
        self._market = market
        self._broker = broker
        self._clock = clock
        self._checks: list[AccountCheck] = []

    def inspect(self) -> Inspection:
        """All checks; what fails is a failed check, and nothing that needs it is asked."""
        skew_s = self._reach()
        listed = self._asked("Instruments", self._market.instruments) if self._reached else None
        held: Mapping[str, Balance] | None = None
        may: Mapping[str, bool] | None = None
        if self._reached:
            held = self._asked("Balance", self._broker.balances)
            may = self._permissions() if held is not None else None
        if listed is not None:
            self._note("Instruments", Grade.OK, f"{len(listed)} can be traded.")
        if held is not None:
            self._balance(held)
            self._minimums(listed or (), held)
        return Inspection(
            checks=tuple(self._checks),
            balances={name: one.total for name, one in (held or {}).items()},
            can_withdraw=(may or {}).get("withdraw"),
            clock_skew_s=skew_s,
        )

    @property
    def _reached(self) -> bool:
        return all(one.grade is not Grade.FAILED for one in self._checks)

    def _reach(self) -> float | None:
        """Reachability and clock; how far our clock is ahead of the platform's."""
        if self._asked("Reachability", self._client.sync_clock) is None:
            return None
        if self._client.description.endpoints.time is None:  # nothing was asked yet
            self._note("Clock", Grade.UNKNOWN, "The description has no endpoint for its time.")
            return None
        skew_s = (self._clock.now() - self._client.time.now()).total_seconds()
        self._note("Reachability", Grade.OK, f"{self._client.name} answers.")
        # No more than a warning: requests are signed, and candles closed, by the platform's time.
        grade = Grade.OK if abs(skew_s) <= SKEW_S else Grade.WARNING
        advice = "" if grade is Grade.OK else "Let this machine set its time from the network."
        ahead = "ahead of" if skew_s > 0 else "behind"
        self._note("Clock", grade, f"Ours is {abs(skew_s):.1f} s {ahead} theirs.", advice)
        return skew_s

    def _permissions(self) -> Mapping[str, bool] | None:
        endpoint = self._client.description.endpoints.permissions
        if endpoint is None:
            self._note(
                "Permissions", Grade.UNKNOWN, "The description does not say where they are told.",
                "See to it yourself that the key may trade and cannot withdraw.",
            )  # fmt: skip
            return None
        reader = Reports(self._client.description)
        may = self._asked("Permissions", lambda: reader.permissions(self._client.ask(endpoint)))
        if may is None:
            return None
        told = ", ".join(f"{'may' if is_so else 'cannot'} {name}" for name, is_so in may.items())
        grade, advice = Grade.OK, ""
        if may.get("trade") is False:
            grade, advice = Grade.FAILED, "Allow the key to trade, at the platform."
        if may.get("withdraw"):
            grade, advice = Grade.FAILED, "Use a key that cannot withdraw: bots need none."
        self._note("Permissions", grade, f"The key {told}.", advice)
        return may

    def _balance(self, held: Mapping[str, Balance]) -> None:
        if not held:
            self._note("Balance", Grade.WARNING, "The account is empty.", "Put something in.")
            return
        words = [f"{text(one.total)} {one.asset}" for one in held.values()]
        more = f" and {len(words) - 5} more" if len(words) > 5 else ""
        self._note("Balance", Grade.OK, f"{', '.join(words[:5])}{more}.")

    def _minimums(self, listed: Sequence[Instrument], held: Mapping[str, Balance]) -> None:
        payable = [one for one in listed if one.quote in held]
        if not payable:
            self._note(
                "Minimums", Grade.WARNING, "Nothing can be bought with what the account has.",
                "Put in what symbols are priced in.",
            )  # fmt: skip
            return
        affordable = [one for one in payable if held[one.quote].free > one.min_notional]
        words = "; ".join(_minimum(one) for one in payable[:NAMED])
        if affordable:
            self._note("Minimums", Grade.OK, f"{words}.")
        else:
            self._note(
                "Minimums", Grade.WARNING, f"{words}.",
                "What is free is less than the smallest order.",
            )  # fmt: skip

    def _asked(self, name: str, question: Callable[[], T]) -> T | None:
        """The answer; None after a failed check of that name."""
        try:
            return question()
        except (QuarterdeckError, Unreadable) as error:
            self._note(name, Grade.FAILED, str(error), ADVICE)
            return None

    def _note(self, name: str, grade: Grade, detail: str, advice: str = "") -> None:
        self._checks.append(AccountCheck(name=name, grade=grade, detail=detail, advice=advice))


def _minimum(one: Instrument) -> str:
    least = f"{text(one.min_notional)} {one.quote}" if one.min_notional else ""
    quantity = one.min_quantity or one.quantity_step
    return f"{one.symbol} from {text(quantity)} {one.base}" + (f", {least}" if least else "")
