"""The admin API, for tests whose exchange is another process, and its client.

POST /admin/ACTION with the arguments as JSON; GET /admin/state for everything there is.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.request import Request, urlopen

from tests.fakes.exchange.exchange import BinanceExchange
from tests.fakes.exchange.records import money

TIMEOUT_S = 10


def _state(exchange: BinanceExchange) -> Any:
    with exchange.lock:
        return {
            "orders": [order.view() for order in exchange.orders],
            "trades": [trade.view() for trade in exchange.trades],
            "balances": {
                asset: {"free": money(row.free), "locked": money(row.locked)}
                for asset, row in exchange.matching.balances.items()
            },
            "deposits": {asset: str(amount) for asset, amount in exchange.deposits.items()},
            "imbalance": {asset: str(amount) for asset, amount in exchange.imbalance().items()},
            "requests": [asdict(request) for request in exchange.requests],
            "faults": [
                {"number": number, "name": fault.name, "seen": fault.seen, "hits": fault.hits}
                for number, fault in enumerate(exchange.script.faults)
            ],
        }


def _fault(exchange: BinanceExchange, **sent: Any) -> Any:
    with exchange.lock:
        exchange.fault(**sent)
        return {"number": len(exchange.script.faults) - 1}


def _release(exchange: BinanceExchange, number: int | None = None) -> Any:
    if number is None:
        exchange.release_all()
    else:
        exchange.release(exchange.script.faults[number])
    return {}


def _add_symbol(exchange: BinanceExchange, base: str, quote: str, price: str) -> Any:
    return exchange.add_symbol(base, quote, price).listing()


ACTIONS: dict[str, Callable[..., Any]] = {
    "state": _state,
    "fault": _fault,
    "release": _release,
    "add_symbol": _add_symbol,
    "set_price": lambda exchange, **sent: exchange.set_price(**sent),
    "walk": lambda exchange, **sent: exchange.walk(**sent),
    "deposit": lambda exchange, **sent: exchange.deposit(**sent),
    "advance": lambda exchange, **sent: exchange.advance(**sent),
    "order_by_hand": lambda exchange, **sent: exchange.order_by_hand(**sent).view(),
    "cancel_by_hand": lambda exchange, **sent: exchange.cancel_by_hand(**sent),
    "fill": lambda exchange, **sent: exchange.fill(**sent).view(),
}


def answer_admin(exchange: BinanceExchange, action: str, sent: dict[str, Any]) -> tuple[int, Any]:
    """Do what a test in another process asks for; what it did wrong is said with status 400."""
    if action not in ACTIONS:
        return 404, {"error": f"there is no '{action}'; there are {', '.join(ACTIONS)}"}
    try:
        return 200, ACTIONS[action](exchange, **sent)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return 400, {"error": f"{type(error).__name__}: {error}"}


class ExchangeAdmin:
    """The admin API of an exchange in another process: ``admin.do("set_price", ...)``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def do(self, action: str, **sent: Any) -> Any:
        """One action. Raises urllib's HTTPError for what cannot be done."""
        body = json.dumps(sent).encode()
        request = Request(f"{self.url}/admin/{action}", body, method="POST")  # noqa: S310
        with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return json.loads(answer.read())

    def state(self) -> Any:
        """Orders, trades, balances, requests and faults."""
        return self.do("state")
