"""The gateway: limits that every order passes just before it is sent, out of a strategy's reach."""

from collections.abc import Callable
from decimal import Decimal

from engine.domain.instruments import Instrument
from engine.domain.limits import Limits
from engine.domain.orders import Order
from engine.services.books import Books
from engine.services.controls import Controls


class Gateway:
    """Lets an order pass or says why not. Called on the account's lane, in no transaction."""

    def __init__(
        self,
        books: Books,
        controls: Controls,
        limits_of: Callable[[bool], Limits],
        is_stepped: Callable[[str], bool] = lambda _market_id: False,
    ) -> None:
        self._books = books
        self._controls = controls
        self._limits_of = limits_of
        self._is_stepped = is_stepped

    def admit(
        self,
        order: Order,
        *,
        quantity: Decimal | None,
        price: Decimal | None,
        last: Decimal,
        instrument: Instrument,
        is_paper: bool,
    ) -> None:
        """Count an order that is about to be sent. Raises LimitReached, or BrokerUnavailable with
        ``retry_after_s`` for an exit that has to wait; nothing is sent then."""

    def note_rejection(self, order: Order) -> None:
        """The venue has refused an order for certain."""

    def note_success(self, order: Order) -> None:
        """The venue has taken an order."""
