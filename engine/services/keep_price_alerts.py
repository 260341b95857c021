"""Price alerts as a person keeps them: add, change, delete. ``price_alerts`` watches them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.domain.alerts import CrossDirection, PriceAlert
from engine.domain.money import text
from engine.errors import ConfigError, Conflict
from engine.ports import Venues
from engine.services.books import Books, new_id

MOST_ALERTS = 500


class PriceAlertKeeper:
    """Commands on price alerts; used from the API's threads."""

    def __init__(self, books: Books, venues: Venues) -> None:
        self._books = books
        self._venues = venues

    def all(self) -> Sequence[PriceAlert]:
        """In the order in which they were added."""
        with self._books.store.reading() as tx:
            return sorted(tx.price_alerts.select(), key=lambda one: (one.created_at, one.id))

    def add(
        self,
        actor: str,
        *,
        market: str,
        symbol: str,
        direction: CrossDirection,
        price: Decimal,
        note: str = "",
        is_repeating: bool = False,
    ) -> PriceAlert:
        """A new one, armed. Raises NotFound for a market or symbol that is not there, ConfigError
        for a replay, Conflict when there are too many, DataError when the market does not answer.
        """
        if self._venues.is_stepped(market):
            raise ConfigError(
                "A replay has no price of its own: choose the market that it was taken from.",
                field="market",
            )
        instrument = self._venues.market(market).instrument(symbol)
        alert = PriceAlert(
            id=new_id(), market=market, symbol=instrument.symbol, direction=direction, price=price,
            note=note.strip(), is_repeating=is_repeating, created_at=self._books.clock.now(),
        )  # fmt: skip
        with self._books.writing() as writing:
            if writing.tx.price_alerts.count() >= MOST_ALERTS:
                raise Conflict(f"There are {MOST_ALERTS} price alerts already: delete some first.")
            writing.tx.price_alerts.add(alert)
            writing.tx.put_instrument(market, instrument)
            writing.audit(actor, "price_alert.add", alert.id, **_told(alert))
        return alert

    def change(self, alert_id: str, actor: str, changes: Mapping[str, Any]) -> PriceAlert:
        """Change what is given, and arm it again. Raises NotFound."""
        with self._books.writing() as writing:
            before = writing.tx.price_alerts.get(alert_id)
            changed = before.model_copy(update={**changes, "fired_at": None, "fired_price": None})
            writing.tx.price_alerts.save(changed)
            writing.audit(actor, "price_alert.change", alert_id, **_told(changed))
        return changed

    def delete(self, alert_id: str, actor: str) -> None:
        """Remove one. Raises NotFound."""
        with self._books.writing() as writing:
            alert = writing.tx.price_alerts.get(alert_id)
            writing.tx.price_alerts.delete(alert_id)
            writing.audit(actor, "price_alert.delete", alert_id, **_told(alert))


def _told(alert: PriceAlert) -> dict[str, Any]:
    """For the audit trail."""
    return {
        "market": alert.market, "symbol": alert.symbol, "direction": str(alert.direction),
        "price": text(alert.price), "is_enabled": alert.is_enabled,
    }  # fmt: skip
