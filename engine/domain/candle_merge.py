"""Two lots of candles made one."""

import numpy as np

from engine.domain.candle_sets import MergeReport
from engine.domain.candles import Candles
from engine.domain.money import from_epoch_ms

CONFLICTS_SHOWN = 10


def merge_candles(old: Candles, new: Candles) -> tuple[Candles, MergeReport]:
    """All candles of both, in order; where both have one, that of ``new``, and a conflict when its
    numbers are others. Raises ValueError for different timeframes."""
    if old.timeframe != new.timeframe:
        raise ValueError(f"{new.timeframe} candles cannot join {old.timeframe} candles")
    _, in_old, in_new = np.intersect1d(old.time, new.time, assume_unique=True, return_indices=True)
    pairs = zip(_numbers(old), _numbers(new), strict=True)
    differs = np.logical_or.reduce([mine[in_old] != theirs[in_new] for mine, theirs in pairs])
    times = new.time[in_new][differs]
    report = MergeReport(
        added=len(new) - len(in_new),
        same=int(len(in_new) - differs.sum()),
        conflicts=int(differs.sum()),
        conflict_times=tuple(from_epoch_ms(int(one)) for one in times[:CONFLICTS_SHOWN]),
    )
    if not report.added and not report.conflicts:
        return old, report
    if not len(old) or (len(new) and new.time[0] > old.time[-1]):  # the usual page: it follows
        return _joined(old, new), report
    kept = np.ones(len(old), dtype=np.bool_)
    kept[in_old] = False
    both = _joined(_taken(old, np.flatnonzero(kept)), new)
    return _taken(both, np.argsort(both.time, kind="stable")), report


def _numbers(candles: Candles) -> tuple[np.ndarray, ...]:
    return candles.open, candles.high, candles.low, candles.close, candles.volume


def _joined(first: Candles, second: Candles) -> Candles:
    time = np.concatenate([first.time, second.time])
    pairs = zip(_numbers(first), _numbers(second), strict=True)
    return Candles(first.timeframe, time, *(np.concatenate(pair) for pair in pairs))


def _taken(candles: Candles, rows: np.ndarray) -> Candles:
    numbers = (one[rows] for one in _numbers(candles))
    return Candles(candles.timeframe, candles.time[rows], *numbers)
