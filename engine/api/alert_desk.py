"""Alerts for the API: what was told and what became of it, what a text costs, price alerts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.api.alert_views import (
    alert_view,
    delivery_view,
    preview,
    price_view,
    spend_view,
)
from engine.contracts.alerts import (
    AlertFilter,
    AlertPage,
    ChannelSpend,
    DeliveryFilter,
    DeliveryPage,
    DeliveryView,
    KindView,
    PreviewRequest,
    PreviewView,
    PriceAlertChanges,
    PriceAlertRequest,
    PriceAlertView,
)
from engine.domain.alert_kinds import WORDS, title_of
from engine.domain.alert_texts import words_of
from engine.domain.alerts import Alert, AlertKind, ChannelKind, Delivery
from engine.domain.records import Level
from engine.ports import Transaction
from engine.services.books import Books
from engine.services.channels import Channels
from engine.services.delivery_figures import ChannelFigures, FigureReader
from engine.services.keep_price_alerts import PriceAlertKeeper

LEVELS = list(Level)


class Resender(Protocol):
    """What sends a delivery once more."""

    def send_again(self, delivery_id: str, actor: str) -> Delivery:
        """As it is then. Raises NotFound, Conflict (it has arrived, or is on its way)."""
        ...


class AlertServices(Protocol):
    """What the API asks about alerts."""

    def kinds(self) -> Sequence[KindView]:
        """The rows of the matrix."""
        ...

    def list(self, chosen: AlertFilter, /) -> AlertPage:
        """Newest first."""
        ...

    def deliveries(self, chosen: DeliveryFilter, /) -> DeliveryPage:
        """Newest first."""
        ...

    def send_again(self, delivery_id: str, actor: str) -> DeliveryView:
        """Raises NotFound, Conflict."""
        ...

    def preview(self, request: PreviewRequest) -> PreviewView:
        """How an SMS would carry a text."""
        ...

    def price_alerts(self) -> Sequence[PriceAlertView]:
        """In the order in which they were added."""
        ...

    def add_price_alert(self, request: PriceAlertRequest, actor: str) -> PriceAlertView:
        """Raises NotFound (market, symbol), ConfigError, DataError (the market does not answer)."""
        ...

    def change_price_alert(
        self, alert_id: str, changes: PriceAlertChanges, actor: str
    ) -> PriceAlertView:
        """Raises NotFound, ConfigError."""
        ...

    def delete_price_alert(self, alert_id: str, actor: str) -> None:
        """Raises NotFound."""
        ...


@dataclass(frozen=True)
class AlertDesk:
    """Implements ``AlertServices``. ``zone`` is that of the times in alerts."""

    books: Books
    channels: Channels
    resender: Resender
    prices: PriceAlertKeeper
    figures: FigureReader
    zone: str

    def kinds(self) -> Sequence[KindView]:
        """The rows of the matrix, in its order."""
        return [
            KindView(kind=kind, title=words.title, group=words.group, help=words.help)
            for kind, words in WORDS.items()
        ]

    def list(self, chosen: AlertFilter) -> AlertPage:
        """Newest first, each with where it went."""
        where: dict[str, Any] = {"kind": chosen.kind} if chosen.kind else {}
        if chosen.level is not None:
            where["level"] = LEVELS[LEVELS.index(chosen.level) :]
        if chosen.bot:
            bot = self.books.bots.get(chosen.bot) or self.books.find_by_name(chosen.bot)
            where["bot_id"] = bot.id if bot else chosen.bot  # one that is gone is found by its id
        where |= {"since": chosen.since, "until": chosen.until, "search": chosen.search}
        with self.books.store.reading() as tx:
            found = tx.alerts.select(
                is_descending=True, limit=chosen.limit, offset=chosen.offset, **where
            )
            count = tx.alerts.count(**where)
            told = tx.deliveries.select(alert_id=[one.id for one in found]) if found else ()
        items = tuple(alert_view(one, told, self._bot_name(one.bot_id)) for one in found)
        return AlertPage(now=self.books.clock.now(), items=items, count=count)

    def deliveries(self, chosen: DeliveryFilter) -> DeliveryPage:
        """Newest first, with what was spent."""
        where: dict[str, Any] = {
            name: value
            for name in ("state", "kind")
            if (value := getattr(chosen, name)) is not None
        }
        where |= {"since": chosen.since, "until": chosen.until, "search": chosen.search}
        with self.books.store.reading() as tx:
            if chosen.channel:
                where |= _of_channel(tx, chosen.channel)
            found = tx.deliveries.select(
                is_descending=True, limit=chosen.limit, offset=chosen.offset, **where
            )
            count = tx.deliveries.count(**where)
        return DeliveryPage(
            now=self.books.clock.now(), items=tuple(self._delivery(one) for one in found),
            count=count, spent=tuple(self._spent()),
        )  # fmt: skip

    def send_again(self, delivery_id: str, actor: str) -> DeliveryView:
        """Put it into the outbox once more."""
        return self._delivery(self.resender.send_again(delivery_id, actor))

    def preview(self, request: PreviewRequest) -> PreviewView:
        """A message that a person sends now, as each SMS channel would carry it."""
        alert = Alert(
            id="preview", kind=AlertKind.MANUAL, level=Level.INFO, time=self.books.clock.now(),
            title=title_of(AlertKind.MANUAL, ""), text=request.text,
        )  # fmt: skip
        return preview(words_of(alert, ChannelKind.SMS, self.zone).text, self.channels.all())

    # --- price alerts ---------------------------------------------------------------------------

    def price_alerts(self) -> Sequence[PriceAlertView]:
        """In the order in which they were added."""
        with self.books.store.reading() as tx:
            return [price_view(one, tx) for one in self.prices.all()]

    def add_price_alert(self, request: PriceAlertRequest, actor: str) -> PriceAlertView:
        """Armed at once."""
        added = self.prices.add(actor, **request.model_dump())
        with self.books.store.reading() as tx:
            return price_view(added, tx)

    def change_price_alert(
        self, alert_id: str, changes: PriceAlertChanges, actor: str
    ) -> PriceAlertView:
        """Armed again."""
        given: Mapping[str, Any] = changes.model_dump(exclude_none=True)
        changed = self.prices.change(alert_id, actor, given)
        with self.books.store.reading() as tx:
            return price_view(changed, tx)

    def delete_price_alert(self, alert_id: str, actor: str) -> None:
        """It tells nothing any more."""
        self.prices.delete(alert_id, actor)

    # --- parts ----------------------------------------------------------------------------------

    def _delivery(self, delivery: Delivery) -> DeliveryView:
        return delivery_view(delivery, self._bot_name(delivery.bot_id))

    def _spent(self) -> Iterator[ChannelSpend]:
        """Of the channels that there are, then of those that are gone."""
        figures = dict(self.figures.read().channels)
        for channel in self.channels.all():
            own = figures.pop(channel.id, ChannelFigures())
            yield spend_view(channel.id, channel.name, channel.kind, own)
        with self.books.store.reading() as tx:
            for channel_id, of_gone in figures.items():
                for one in tx.deliveries.select(channel_id=channel_id, limit=1):
                    yield spend_view(channel_id, one.channel_name, one.channel_kind, of_gone)

    def _bot_name(self, bot_id: str | None) -> str:
        bot = self.books.bots.get(bot_id or "")
        return bot.config.name if bot else ""


def _of_channel(tx: Transaction, key: str) -> dict[str, str]:
    """By the id or the name of a channel, which may be gone; a name that it no longer has finds
    what was sent under it."""
    if tx.deliveries.count(channel_id=key):
        return {"channel_id": key}
    for channel_id, name in tx.channels.values("id", "name"):
        if name.casefold() == key.casefold():
            return {"channel_id": channel_id}
    return {"channel_name": key}
