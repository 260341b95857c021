"""The candle library in memory."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from engine.domain.candle_checks import span_of
from engine.domain.candle_merge import merge_candles
from engine.domain.candle_sets import CandleSet, MergeReport, StoredSet
from engine.domain.candles import Candles, empty_candles
from engine.domain.money import to_epoch_ms
from engine.errors import ConfigError, Conflict, NotFound, StoreError
from tests.fakes.clock import START


class MemoryLibrary:
    """Implements ``CandleLibrary``. ``sets`` can be read and filled; ``is_full`` is a full disk,
    ``broken`` are files that cannot be used: error by id."""

    def __init__(self) -> None:
        self.sets: dict[str, tuple[CandleSet, Candles]] = {}
        self.broken: dict[str, str] = {}
        self.is_full = False

    def list(self) -> Sequence[StoredSet]:
        """By id."""
        broken = [self._broken(one) for one in self.broken]
        return sorted([*map(self.get, self.sets), *broken], key=lambda one: one.id)

    def get(self, set_id: str) -> StoredSet:
        """Raises NotFound."""
        if set_id in self.broken:
            return self._broken(set_id)
        about, candles = self._find(set_id)
        return StoredSet(
            id=set_id, about=about, path=f"/memory/{set_id}.parquet", size_bytes=48 * len(candles),
            changed_at=START, is_ours=True, span=span_of(candles, about.kind),
        )  # fmt: skip

    def read(
        self, set_id: str, since: datetime | None = None, until: datetime | None = None
    ) -> Candles:
        """Those that open in [since, until)."""
        if set_id in self.broken:
            raise ConfigError(self.broken[set_id])
        candles = self._find(set_id)[1]
        chosen = np.ones(len(candles), dtype=np.bool_)
        if since is not None:
            chosen &= candles.time >= to_epoch_ms(since)
        if until is not None:
            chosen &= candles.time < to_epoch_ms(until)
        rows = np.flatnonzero(chosen)
        return candles[int(rows[0]) : int(rows[-1]) + 1] if len(rows) else candles[0:0]

    def merge(self, about: CandleSet, candles: Candles) -> MergeReport:
        """All or nothing."""
        if candles.timeframe != about.timeframe:
            raise ConfigError(f"{candles.timeframe} candles do not belong into {about.id}.")
        known, old = self.sets.get(about.id, (about, empty_candles(about.timeframe)))
        if known != about:
            raise Conflict(f"{about.id} holds others.")
        merged, report = merge_candles(old, candles)
        if self.is_full:
            raise StoreError(f"The disk is full: {about.id} could not be written.")
        if report.added or report.conflicts:
            self.sets[about.id] = (about, merged)
        return report

    def delete(self, set_id: str) -> None:
        """Raises NotFound."""
        if self.broken.pop(set_id, None) is None:
            self._find(set_id)
            del self.sets[set_id]

    def _find(self, set_id: str) -> tuple[CandleSet, Candles]:
        try:
            return self.sets[set_id]
        except KeyError:
            raise NotFound(f"There are no candles '{set_id}'.", field="id") from None

    def _broken(self, set_id: str) -> StoredSet:
        return StoredSet(
            id=set_id, about=None, path=f"/memory/{set_id}.csv", size_bytes=7, changed_at=START,
            is_ours=False, error=self.broken[set_id],
        )  # fmt: skip
