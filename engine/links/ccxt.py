"""What every client of ccxt's is kept to here."""

from collections.abc import Callable
from typing import Any


def refuse_text(exchange: Any, error: type[Exception]) -> None:
    """Make a synchronous client raise ``error`` for an answer that is no JSON.

    ccxt hands on as text what it cannot read, such as a page of maintenance or an answer with a
    NaN in it, and its parsers take that for an answer without symbols, balances or orders.
    """
    fetch: Callable[..., Any] = exchange.fetch

    def strictly(*arguments: Any, **named: Any) -> Any:
        answer = fetch(*arguments, **named)
        if not isinstance(answer, dict | list):
            raise error("the answer cannot be read")
        return answer

    exchange.fetch = strictly
