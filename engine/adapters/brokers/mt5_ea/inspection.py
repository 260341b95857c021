"""What an Expert Advisor says of its account: is it heard, may it trade, is it the right one."""

from collections.abc import Callable

from engine.adapters.brokers.mt5_ea.link import Link
from engine.domain.money import text
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection
from engine.errors import BrokerError
from engine.ports import MarketData

LOOKED_AT = 5  # symbols


class Inspector:
    """Reads what the advisor has pushed; what fails is a failed check."""

    def __init__(self, link: Link, market: MarketData) -> None:
        self._link = link
        self._market = market

    def inspect(self) -> Inspection:
        """All checks; figures only where the advisor is heard."""
        checks = [
            _checked("Expert Advisor", self._heard, "Put it on a chart of the right terminal."),
            _checked("Account", self._account, "Choose mode and Positions as the account is."),
            _checked("Permissions", self._permissions, "See the guide: The Expert Advisor."),
            self._symbols(),
        ]
        is_heard = checks[1].grade is Grade.OK
        state = self._link.state() if is_heard else None
        return Inspection(
            checks=tuple(checks),
            balances={state.currency: state.equity} if state else {},
            can_withdraw=False,  # there is no such function
        )

    def _heard(self) -> str:
        terminal = self._link.terminal()
        return f"{terminal.source} at {terminal.server}, heard {terminal.seen_at:%H:%M:%S} UTC."

    def _account(self) -> str:
        state = self._link.state()
        kind = "demo" if state.is_demo else "real"
        keeps = "hedging" if state.is_hedging else "netting"
        return f"{self._link.account}: a {kind} {keeps} account in {state.currency}."

    def _permissions(self) -> str:
        self._link.trading()
        return "It asks for orders and may trade. It cannot withdraw."

    def _symbols(self) -> AccountCheck:
        found = self._market.instruments()
        if not found:
            return AccountCheck(
                name="Symbols", grade=Grade.FAILED, detail="No prices have come yet.",
                advice="Set the Symbols of the Expert Advisor.",
            )  # fmt: skip
        told = ", ".join(f"{text(one.min_quantity)} of {one.symbol}" for one in found[:LOOKED_AT])
        return AccountCheck(name="Symbols", grade=Grade.OK, detail=f"At least {told}.")


def _checked(name: str, ask: Callable[[], str], advice: str) -> AccountCheck:
    try:
        return AccountCheck(name=name, grade=Grade.OK, detail=ask())
    except BrokerError as error:
        return AccountCheck(name=name, grade=Grade.FAILED, detail=error.message, advice=advice)
