"""What a person orders by hand: asked from the API's threads, done on the account's lane.

A call that began is never given up in the middle: when the venue takes longer than a person waits,
the answer says that it is under way, and the order shows what became of it.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from engine.domain.bots import WORKING_STATES, Bot
from engine.domain.ledger import entry_side, exit_side
from engine.domain.orders import Order, Purpose, Side
from engine.domain.tickets import OrderChanges, OrderTicket, TicketType, ticket_trouble
from engine.errors import ConfigError, Conflict, NotFound
from engine.ports import MarketData, Venues, has_steps
from engine.services.books import Books
from engine.services.lane_calls import LaneCalls
from engine.services.order_desk import OrderDesk

T = TypeVar("T")

MANUAL = "manual"


class ManualOrders:
    """Blocking commands for the API's threads; must not be called on the event loop."""

    def __init__(
        self,
        books: Books,
        desk: OrderDesk,
        venues: Venues,
        calls: LaneCalls,
    ) -> None:
        self._books = books
        self._desk = desk
        self._venues = venues
        self._calls = calls

    def place(self, key: str, ticket: OrderTicket, actor: str) -> Sequence[Order]:
        """Place a ticket. Raises ConfigError with the field, Conflict, and like the desk."""
        bot = self._books.get_bot(key)
        if ticket.expires_at is not None and ticket.expires_at <= self._books.clock.now():
            raise ConfigError("must be in the future", field="expires_at")
        return self._on_lane(bot, self._place, bot.id, ticket, actor)

    def cancel(self, key: str, client_id: str, actor: str) -> Order:
        """Take back what is not filled. Raises NotFound, Conflict when the order is done."""
        bot = self._books.get_bot(key)
        return self._on_lane(bot, self._cancel, bot.id, client_id, actor)

    def replace(self, key: str, client_id: str, changes: OrderChanges, actor: str) -> Order:
        """Change a working order; the one that works in its stead. Raises like ``cancel``."""
        bot = self._books.get_bot(key)
        return self._on_lane(bot, self._replace, bot.id, client_id, changes, actor)

    def close(self, key: str, fraction: Decimal, actor: str) -> Bot:
        """Close a part of the position at the market. Raises Conflict when there is none."""
        bot = self._books.get_bot(key)
        return self._on_lane(bot, self._close, bot.id, fraction, actor)

    # --- on the account's lane ------------------------------------------------------------------

    def _place(self, bot_id: str, ticket: OrderTicket, actor: str) -> Sequence[Order]:
        bot = self._books.get_bot(bot_id)
        is_watched = bot.state in WORKING_STATES
        if not is_watched and (ticket.purpose, ticket.type) != (Purpose.EXIT, TicketType.MARKET):
            raise Conflict(
                f"The bot is {bot.state.value}, and nobody would watch its order: start or pause it"
                " first."
            )
        market = self._market(bot)
        last = market.quote(bot.symbol).last
        trouble = ticket_trouble(ticket, self._side(bot, ticket), last)
        if trouble is not None:
            raise ConfigError(trouble.message, field=trouble.field)
        placed = self._desk.place(bot_id, market, ticket, actor)
        return [self._order(bot_id, order.client_id) for order in placed]

    def _side(self, bot: Bot, ticket: OrderTicket) -> Side:
        if ticket.direction is not None:
            return entry_side(ticket.direction)
        position = self._books.positions.get(bot.id)
        if position is None:
            raise Conflict("The bot holds no position to close.")
        return exit_side(position.side)

    def _cancel(self, bot_id: str, client_id: str, actor: str) -> Order:
        self._working(bot_id, client_id)
        market = self._market(self._books.get_bot(bot_id))
        self._desk.cancel_order(bot_id, client_id, market, actor)
        return self._order(bot_id, client_id)

    def _replace(self, bot_id: str, client_id: str, changes: OrderChanges, actor: str) -> Order:
        self._working(bot_id, client_id)
        market = self._market(self._books.get_bot(bot_id))
        follower = self._desk.replace_order(bot_id, client_id, market, changes, actor)
        return self._order(bot_id, follower.client_id)

    def _close(self, bot_id: str, fraction: Decimal, actor: str) -> Bot:
        bot = self._books.get_bot(bot_id)
        if bot_id not in self._books.positions:
            raise Conflict("The bot holds no position to close.")
        if self._desk.is_closing(bot_id):
            raise Conflict("An exit of the position is under way already.")
        with self._books.writing() as writing:
            writing.audit(actor, "position.close", bot_id, fraction=str(fraction))
        self._desk.close_position(bot_id, self._market(bot), MANUAL, fraction=fraction)
        return self._books.get_bot(bot_id)

    def _market(self, bot: Bot) -> MarketData:
        """The bot's market; the replay of a bot at rest stands at its last decided candle."""
        market = self._venues.market(bot.market, bot.id)
        stood_at = None if bot.state in WORKING_STATES else bot.decided_until
        if has_steps(market) and stood_at is not None:
            market.seek(stood_at)
        return market

    def _working(self, bot_id: str, client_id: str) -> None:
        """Raises NotFound, or Conflict when nothing more can be done about the order."""
        order = self._order(bot_id, client_id)
        if order.is_terminal:
            raise Conflict(f"The order is {order.state.value} already.")

    def _order(self, bot_id: str, client_id: str) -> Order:
        with self._books.store.reading() as tx:
            found = tx.orders.select(client_id=client_id, bot_id=bot_id, limit=1)
        if not found:
            raise NotFound(f"The bot has no order '{client_id}'.", field="client_id")
        return found[0]

    def _on_lane(self, bot: Bot, call: Callable[..., T], *args: object) -> T:
        def in_place() -> T:
            if self._books.get_bot(bot.id).account_id != bot.account_id:
                raise Conflict("The bot has just gone to another account; try again.")
            return call(*args)

        return self._calls.run(bot.account_id, in_place, look_at="The bot's orders")
