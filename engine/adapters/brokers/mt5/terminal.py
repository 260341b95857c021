"""A terminal as the adapter sees it: functions of the package MetaTrader5, plain data out."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple, Protocol

from engine.adapters.brokers.mt5_gateway import MODULE, Refusal, TerminalDesk
from engine.errors import AccessDenied, BrokerError, BrokerUnavailable, ConfigError, OrderRejected

Row = Mapping[str, Any]
PLATFORM = "win32"


class Answer(NamedTuple):
    """What a function gave: named tuples as objects, rates as lists; None with ``last_error``."""

    result: Any
    code: int
    words: str


class AnswerLost(Exception):
    """The request may have arrived, and nothing says what became of it."""


class Terminal(Protocol):
    """One terminal, here or lent by a gateway. Calls block and may come from many threads."""

    def call(
        self,
        function: str,
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
        *,
        account: int | None = None,
        request_id: str = "",
    ) -> Answer:
        """Call a function of the package, with ``account`` only while it is logged in to that one.

        Raises NoAccount, AccessDenied, ConfigError, OrderRejected or BrokerUnavailable, all of
        them before the terminal was asked; AnswerLost for anything else.
        """
        ...

    def close(self) -> None:
        """Let go of what the connection holds."""
        ...


class NoAccount(BrokerUnavailable):
    """The terminal is not logged in (any more): nothing was asked of it."""


class LocalTerminal:
    """Implements ``Terminal`` over the package, which talks to the terminal of this machine.

    The package can serve one account a process: whoever needs two lends them through gateways.
    """

    def __init__(self, load: Callable[[], Any] | None = None) -> None:
        self._load = load or load_package

    def call(
        self,
        function: str,
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
        *,
        account: int | None = None,
        request_id: str = "",
    ) -> Answer:
        """As the protocol says. Raises ConfigError where there is no such package."""
        try:
            answer = _desk_of(self._load()).call(
                function, arguments, named, account=account, request_id=request_id
            )
        except Refusal as refusal:
            raise refused(refusal.code, refusal.words) from refusal
        code, words = answer["error"]
        return Answer(answer["result"], code, words)

    def close(self) -> None:
        """Nothing: other users of the terminal go on."""


_DESKS: dict[int, TerminalDesk] = {}
_DESKS_LOCK = Lock()


def _desk_of(package: Any) -> TerminalDesk:
    """The one desk over a package in this process: it is not thread-safe."""
    with _DESKS_LOCK:
        return _DESKS.setdefault(id(package), TerminalDesk(package))


def load_package() -> Any:
    """The package MetaTrader5. Raises ConfigError where it does not exist or is not installed."""
    try:
        return importlib.import_module(MODULE)
    except ImportError as error:
        if sys.platform != PLATFORM:
            raise ConfigError(
                "MetaTrader 5's Python package runs on Windows only: use the gateway "
                "(docs/metatrader.md)."
            ) from error
        raise ConfigError(
            "The Python package MetaTrader5 is missing: pip install MetaTrader5."
        ) from error


def refused(code: str, words: str) -> BrokerError | ConfigError:
    """What a refusal of the desk means: in each case nothing was asked of the terminal."""
    meanings: dict[str, type[BrokerError | ConfigError]] = {
        "terminal": NoAccount,
        "account": AccessDenied,
        "claimed": ConfigError,
        "token": AccessDenied,
        "request": OrderRejected,
        "argument": OrderRejected,
        "function": ConfigError,
    }
    return meanings.get(code, BrokerUnavailable)(f"MetaTrader: {words}")
