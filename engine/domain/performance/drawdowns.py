"""How far an account lay under its highest worth so far, and from when to when."""

from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from engine.domain.candles import FloatArray, IntArray
from engine.domain.money import UtcDatetime, from_epoch_ms
from engine.domain.performance.history import MS_A_SECOND, History


class Drawdown(BaseModel):
    """One fall under a peak: from the peak over the lowest point to the first worth as high again.

    ``depth`` is a fraction of the peak in [0, 1], ``amount`` the same in quote (more than the peak
    where an account owes). ``recovery`` is None while it lasts; ``duration_s`` then is so far.
    """

    model_config = ConfigDict(frozen=True)

    start: UtcDatetime
    trough: UtcDatetime
    recovery: UtcDatetime | None
    depth: float
    amount: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Drawdowns:
    """Every drawdown of a curve in the order of time, as columns of one length.

    ``begin`` indexes the first value under the peak in ``worth`` and ``at``, ``end`` the first that
    is not; it is their length while the last drawdown lasts. The starting cash is the first value.
    """

    at: IntArray
    worth: FloatArray
    begin: IntArray
    end: IntArray
    amount: FloatArray
    depth: FloatArray
    duration_s: FloatArray

    def __len__(self) -> int:
        return len(self.begin)

    def deepest(self, count: int) -> list[Drawdown]:
        """The deepest, deepest first; of equally deep ones the earlier."""
        return [self._one(int(row)) for row in np.argsort(-self.depth, kind="stable")[:count]]

    def _one(self, row: int) -> Drawdown:
        begin, end = int(self.begin[row]), int(self.end[row])
        trough = begin + int(np.argmin(self.worth[begin:end]))
        return Drawdown(
            start=from_epoch_ms(int(self.at[begin - 1])),
            trough=from_epoch_ms(int(self.at[trough])),
            recovery=from_epoch_ms(int(self.at[end])) if end < len(self.at) else None,
            depth=float(self.depth[row]),
            amount=float(self.amount[row]),
            duration_s=float(self.duration_s[row]),
        )


def depths(worth: FloatArray) -> FloatArray:
    """Fraction under the running maximum at every value, in [0, 1]; 0 while that is not above 0."""
    peaks = np.maximum.accumulate(worth)
    ratio = np.divide(worth, peaks, out=np.ones_like(worth), where=peaks > 0)
    return np.clip(1.0 - ratio, 0.0, 1.0)


def drawdowns_of(history: History) -> Drawdowns:
    """Every drawdown of a history."""
    worth = np.concatenate(([history.starting_cash], history.equity))
    at = np.concatenate((np.array([history.start_ms], np.int64), history.at))
    peaks = np.maximum.accumulate(worth)
    edges = np.diff(np.concatenate(([False], worth < peaks, [False])).astype(np.int8))
    begin, end = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    # reduceat's groups go on to the next beginning, over values at the peak: they add no fall.
    amount = np.maximum.reduceat(peaks - worth, begin) if len(begin) else np.empty(0)
    peak = peaks[begin]
    depth = np.divide(amount, peak, out=np.zeros_like(amount), where=peak > 0)
    over = at[np.minimum(end, len(at) - 1)]
    return Drawdowns(
        at=at,
        worth=worth,
        begin=begin,
        end=end,
        amount=amount,
        depth=np.minimum(depth, 1.0),
        duration_s=np.asarray((over - at[begin - 1]) / MS_A_SECOND),
    )
