"""The purse of a paper account: what is free, locked and owed, moved exactly.

Long and short are kept apart, as on margin venues in hedge mode, so that many bots share one
account: a sale that is not ``reduce_only`` opens a short where shorts are allowed, in a row of its
own (``short_row``) that goes below zero; a ``reduce_only`` purchase closes it. Outwardly both are
one balance of the base asset.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from engine.domain.instruments import Instrument
from engine.domain.money import ZERO
from engine.domain.orders import OrderRequest, Side
from engine.domain.records import PaperBalance

SHORT_MARK = "#short:"


def short_row(instrument: Instrument) -> str:
    """The row that holds what is owed of a symbol sold short."""
    return f"{instrument.base}{SHORT_MARK}{instrument.symbol}"


def traded_row(request: OrderRequest, instrument: Instrument) -> str:
    """The row that an order's base quantity comes from or goes to."""
    is_opening_short = request.side is Side.SELL and not request.reduce_only
    is_closing_short = request.side is Side.BUY and request.reduce_only
    if instrument.can_short and (is_opening_short or is_closing_short):
        return short_row(instrument)
    return instrument.base


class Purse:
    """The rows of one account, and which of them changed since they were last written."""

    def __init__(self, rows: Iterable[PaperBalance] = ()) -> None:
        self._rows = {row.asset: row for row in rows}
        self._changed: dict[str, PaperBalance] = {}

    def has(self, row: str) -> bool:
        """Whether the row was ever written to."""
        return row in self._rows

    def free(self, row: str) -> Decimal:
        """What may be spent; below zero in the row of a short."""
        known = self._rows.get(row)
        return known.free if known else ZERO

    def add(self, row: str, *, free: Decimal = ZERO, locked: Decimal = ZERO) -> None:
        """Move amounts in (or, negative, out)."""
        known = self._rows.get(row) or PaperBalance(asset=row)
        changed = PaperBalance(asset=row, free=known.free + free, locked=known.locked + locked)
        self._rows[row] = self._changed[row] = changed

    def lock(self, row: str, amount: Decimal) -> None:
        """Set an amount aside; negative frees it again."""
        self.add(row, free=-amount, locked=amount)

    def changes(self) -> Mapping[str, PaperBalance]:
        """The rows to write."""
        return self._changed

    def copy(self) -> "Purse":
        """The same rows, with nothing changed yet."""
        return Purse(self._rows.values())

    def shorts(self) -> Mapping[str, Decimal]:
        """What is owed, by symbol; resting orders to sell short count in full."""
        return {
            asset.partition(SHORT_MARK)[2]: -row.free
            for asset, row in self._rows.items()
            if SHORT_MARK in asset and row.free < 0
        }

    def totals(self) -> dict[str, PaperBalance]:
        """By asset, as the venue shows it: holdings less what is owed."""
        totals: dict[str, PaperBalance] = {}
        for row in self._rows.values():
            asset = row.asset.partition(SHORT_MARK)[0]
            before = totals.get(asset) or PaperBalance(asset=asset)
            totals[asset] = PaperBalance(
                asset=asset, free=before.free + row.free, locked=before.locked + row.locked
            )
        return totals
