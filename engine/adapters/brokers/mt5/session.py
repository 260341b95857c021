"""An account of a terminal: connected when needed, checked to be the right one, failures named."""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from pydantic import ValidationError

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5.reading import Unreadable, flag, row, rows, whole, words
from engine.adapters.brokers.mt5.terminal import (
    Answer,
    AnswerLost,
    NoAccount,
    Row,
    Terminal,
)
from engine.domain.venue_accounts import Mode
from engine.errors import (
    AccessDenied,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
    OrderStateUnknown,
    QuarterdeckError,
)
from engine.links.pause import Pause

log = logging.getLogger("quarterdeck.mt5")

NAME = "MetaTrader"
CONNECT_MS = 10_000
LOGIN_PAUSE_S = 60.0


@dataclass(frozen=True)
class Login:
    """Which account it has to be. Without a password the one saved in the terminal is used."""

    number: int
    server: str
    mode: Mode
    is_hedging: bool
    password: str = field(default="", repr=False)


class RulesBroken(OrderRejected):
    """Refused for certain by a rule of the symbol: its listing may be another one by now."""


class Session:
    """The account ``login`` at ``terminal``, shared by its market and its broker."""

    def __init__(
        self, terminal: Terminal, login: Login, monotonic: Callable[[], float], *,
        connect_ms: int = CONNECT_MS,
    ) -> None:  # fmt: skip
        self.login = login
        self._terminal = terminal
        self._pause = Pause(monotonic)
        self._login_pause = Pause(monotonic)  # brokers lock accounts after some wrong passwords
        self._connect_ms = connect_ms
        self._lock = RLock()
        self._is_connected = False

    # --- questions -----------------------------------------------------------------------------

    def ask(self, function: str, *arguments: Any, **named: Any) -> Any:
        """The answer to a question, None where there is no such thing; asked again, once, when
        the terminal was not connected. Raises BrokerUnavailable, AccessDenied, ConfigError."""
        with self._lock:
            for attempt in (1, 2):
                self._connect()
                try:
                    answer = self._call(function, arguments, named)
                except NoAccount:
                    if attempt == 2:
                        raise
                else:
                    if answer.result is not None or answer.code not in codes.NO_TERMINAL:
                        return answer.result
                self._is_connected = False
        raise BrokerUnavailable(f"{NAME}: the terminal does not answer: {answer.words}.")

    def ask_rows(self, function: str, *arguments: Any, **named: Any) -> Sequence[Row]:
        """A list of objects. None is no empty list. Raises BrokerUnavailable, AccessDenied."""
        found = self.ask(function, *arguments, **named)
        if found is None:
            raise BrokerUnavailable(f"{NAME} gave no answer to {function}; it is asked again.")
        with believed():
            return rows(found)

    def account(self) -> Row:
        """The account's figures. Raises BrokerUnavailable, AccessDenied."""
        with believed():
            return row(self.ask("account_info"))

    def terminal(self) -> Row:
        """The terminal's state. Raises BrokerUnavailable, AccessDenied."""
        with believed():
            return row(self.ask("terminal_info"))

    def close(self) -> None:
        """Let go of the terminal; it stays logged in."""
        self._terminal.close()

    # --- orders --------------------------------------------------------------------------------

    def check_trading(self) -> None:
        """Whether an order could reach the broker. Raises AccessDenied, BrokerUnavailable."""
        terminal, account = self.terminal(), self.account()
        with believed():
            if not flag(terminal, "connected"):
                raise BrokerUnavailable(f"{NAME}: the terminal has no connection to its broker.")
            reason = no_trading(terminal, account)
        if reason:
            raise AccessDenied(f"{NAME}: {reason}.")

    def send(self, request: Row) -> Row:
        """Send an order, once; the accepted answer. Raises as ``Broker.submit`` does."""
        with self._lock:
            self._heed_pause()
            try:
                answer = self._call("order_send", (request,), {}, request_id=uuid.uuid4().hex)
            except AnswerLost as error:
                raise OrderStateUnknown(f"{NAME} did not say: {error}.") from error
        if answer.result is None:
            raise self._refusal(answer)
        try:
            result = row(answer.result)
            retcode = whole(result, "retcode")
        except Unreadable as error:
            raise OrderStateUnknown(f"{NAME} answered with what cannot be read.") from error
        if retcode not in codes.ACCEPTED:
            raise self._complaint(retcode)
        return result

    def _refusal(self, answer: Answer) -> Exception:
        """What it means that there is no result at all."""
        if answer.code == codes.INVALID_PARAMS:
            return OrderRejected(f"{NAME} cannot read the order: {answer.words}.")
        if answer.code == codes.TRADING_OFF:
            return AccessDenied(f"{NAME}: automatic trading is off: {codes.ALGO_TRADING}.")
        self._is_connected = self._is_connected and answer.code not in codes.NO_TERMINAL
        return OrderStateUnknown(f"{NAME} did not say: {answer.words} ({answer.code}).")

    def _complaint(self, retcode: int) -> Exception:
        verdict, sentence = codes.judge(retcode)
        said = f"{NAME}: {sentence} ({retcode})."
        if verdict is codes.Verdict.PAUSE:
            self._pause.ask(codes.PAUSE_S)
            return BrokerUnavailable(said, retry_after_s=codes.PAUSE_S)
        kinds: dict[codes.Verdict, type[Exception]] = {
            codes.Verdict.REJECTED: OrderRejected,
            codes.Verdict.RULES: RulesBroken,
            codes.Verdict.NO_FUNDS: InsufficientFunds,
            codes.Verdict.DENIED: AccessDenied,
        }
        return kinds.get(verdict, OrderStateUnknown)(said)

    def _heed_pause(self) -> None:
        left = self._pause.left_s()
        if left > 0:
            raise BrokerUnavailable(
                f"{NAME}: it asks for no orders for another {left:.0f} s.", retry_after_s=left
            )

    # --- the connection ------------------------------------------------------------------------

    def _call(
        self, function: str, arguments: Sequence[Any], named: Row, *, request_id: str = ""
    ) -> Answer:
        """One call on this account. A question whose answer is lost can be asked again."""
        try:
            return self._terminal.call(
                function, arguments, named, account=self.login.number, request_id=request_id
            )
        except AnswerLost as error:
            if request_id:
                raise
            raise BrokerUnavailable(f"{NAME}: {error}.") from error

    def _connect(self) -> None:
        if self._is_connected:
            return
        if self._login_pause.left_s():
            raise _wrong_login(self.login)
        named: dict[str, Any] = {
            "login": self.login.number, "server": self.login.server, "timeout": self._connect_ms,
        }  # fmt: skip
        if self.login.password:
            named["password"] = self.login.password
        try:
            answer = self._terminal.call("initialize", (), named)
        except AnswerLost as error:
            raise BrokerUnavailable(f"{NAME}: {error}.") from error
        if answer.code == codes.AUTH_FAILED:
            self._login_pause.ask(LOGIN_PAUSE_S)
            raise _wrong_login(self.login)
        if answer.result is not True:
            raise BrokerUnavailable(
                f"{NAME}: the terminal does not answer ({answer.words}): start it on its machine, "
                "and leave it open."
            )
        account = self._call("account_info", (), {})
        if account.result is None:
            raise BrokerUnavailable(f"{NAME}: the terminal has no account: {account.words}.")
        with believed():
            check_account(row(account.result), self.login)
        self._is_connected = True
        log.info("connected to account %d at %s", self.login.number, self.login.server)


@contextmanager
def believed(otherwise: type[QuarterdeckError] = BrokerUnavailable) -> Iterator[None]:
    """Readings of answers; what cannot be read is raised as ``otherwise``. Also a decorator."""
    try:
        yield
    except (Unreadable, ValidationError) as error:
        raise otherwise(f"{NAME}: an answer cannot be read: {error}") from error


def no_trading(terminal: Row, account: Row) -> str:
    """Why no program may trade, and what to do about it; empty when it may. Raises Unreadable."""
    if not flag(terminal, "trade_allowed") or flag(terminal, "tradeapi_disabled"):
        return f"automatic trading is off: {codes.ALGO_TRADING}"
    if not flag(account, "trade_allowed"):
        return (
            "the account may not trade: log in with its main password instead of the investor's "
            "(read-only) one, or ask the broker why it is blocked"
        )
    if not flag(account, "trade_expert"):
        return "the broker forbids automatic trading on this account: ask them to allow it"
    return ""


def check_account(account: Row, login: Login) -> None:
    """That it is the account that was added. Raises AccessDenied saying what differs."""
    if words(account, "server") != login.server:
        raise AccessDenied(
            f"{NAME}: the terminal is logged in at {words(account, 'server')}, not {login.server}."
        )
    is_real = whole(account, "trade_mode") == codes.REAL
    if is_real is not (login.mode is Mode.LIVE):
        kind = "a real" if is_real else "a demo"
        other = "live" if is_real else "test"
        raise AccessDenied(
            f"{NAME}: {login.number} is {kind} account: add it in {other} mode, not as "
            f"{login.mode.value}."
        )
    is_hedging = whole(account, "margin_mode") == codes.HEDGING
    if is_hedging is not login.is_hedging:
        kind = "hedging" if is_hedging else "netting"
        raise AccessDenied(
            f"{NAME}: {login.number} is a {kind} account: choose that under 'Positions' in the "
            "account's options."
        )


def _wrong_login(login: Login) -> AccessDenied:
    return AccessDenied(
        f"{NAME} does not accept the login {login.number} at {login.server}: check number, "
        "password and server (as File > Login to Trade Account shows them)."
    )
