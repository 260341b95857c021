"""Whether an account's Expert Advisor is there, and is the one that it should be."""

from dataclasses import dataclass
from datetime import timedelta

from engine.domain.pushed import SILENT_AFTER, Terminal, TerminalState
from engine.domain.venue_accounts import Mode
from engine.errors import AccessDenied, BrokerUnavailable
from engine.ports import Clock, Terminals

NAME = "MetaTrader's Expert Advisor"


@dataclass(frozen=True)
class Link:
    """The way to one account's advisor. ``state`` and the like raise BrokerUnavailable while it is
    silent, AccessDenied for an account that is not what its options say."""

    account: str
    magic: str
    mode: Mode
    is_hedging: bool
    terminals: Terminals
    clock: Clock
    silent_after: timedelta = SILENT_AFTER

    def terminal(self) -> Terminal:
        """What was heard last, if that is lately."""
        terminal = self.terminals.terminal(self.account)
        if terminal is None:
            others = ", ".join(self.terminals.accounts())
            heard = f" (heard are: {others})" if others else ""
            raise BrokerUnavailable(
                f"{NAME} of account {self.account} was never heard{heard}: put it on a chart of"
                " a terminal that is logged in to this account."
            )
        if self.clock.now() - terminal.seen_at > self.silent_after:
            raise BrokerUnavailable(
                f"{NAME} of account {self.account} is silent since"
                f" {terminal.seen_at:%Y-%m-%d %H:%M:%S} UTC: start its terminal."
            )
        return terminal

    def state(self) -> TerminalState:
        """The account's figures, checked against its options."""
        return self._checked(self.terminal())

    def _checked(self, terminal: Terminal) -> TerminalState:
        state = terminal.state
        if state is None or terminal.positions is None:
            raise BrokerUnavailable(
                f"{NAME} of account {self.account} tells no balances and positions: install the"
                " one that comes with this version."
            )
        if state.is_demo is not (self.mode is Mode.TEST):
            kind, mode = ("demo", "test") if state.is_demo else ("real", "live")
            raise AccessDenied(
                f"Account {self.account} is a {kind} account: add it in {mode} mode."
            )
        if state.is_hedging is not self.is_hedging:
            keeps = "hedging" if state.is_hedging else "netting"
            raise AccessDenied(f"Account {self.account} is a {keeps} account: set its Positions.")
        return state

    def trading(self) -> Terminal:
        """The same, of a terminal that may trade and whose advisor asks for our orders."""
        terminal = self.terminal()
        state = self._checked(terminal)
        if not state.may_trade:
            raise AccessDenied(
                f"Account {self.account} does not execute: switch on Algo Trading in the terminal,"
                " and 'Execute orders' in the inputs of the Expert Advisor."
            )
        if terminal.polled_at is None or self.clock.now() - terminal.polled_at > self.silent_after:
            raise BrokerUnavailable(f"{NAME} of account {self.account} does not ask for orders.")
        if terminal.magic != self.magic:
            raise BrokerUnavailable(
                f"{NAME} of account {self.account} asks for orders of magic number"
                f" {terminal.magic}, not {self.magic}: set the same in both."
            )
        return terminal
