"""Does a strategy see the future? It is asked again with the future cut off."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.domain.candles import Candles
from engine.domain.money import from_epoch_ms
from engine.domain.strategy import Signals, Strategy

POINTS = 12
TOLERANCE = 1e-9  # of confidence and size: sums over other lengths may differ in the last digit
YES_NO = ("enter_long", "exit_long", "enter_short", "exit_short")
DEGREES = ("confidence", "size")


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What changed about a candle when later ones were taken away. ``index`` counts candles,
    ``known`` is how many there were when it was judged otherwise."""

    signal: str
    index: int
    known: int
    time_ms: int

    @property
    def sentence(self) -> str:
        """For a person."""
        after = self.known - self.index - 1
        return (
            f"The strategy sees the future: '{self.signal}' of the candle at"
            f" {from_epoch_ms(self.time_ms):%Y-%m-%d %H:%M:%S} UTC (number {self.index}) is another"
            f" one when only {after} candle{'' if after == 1 else 's'} after it"
            f" {'is' if after == 1 else 'are'} known. Its results mean nothing."
        )


def find_look_ahead(strategy: Strategy, candles: Candles, points: int = POINTS) -> LookAhead | None:
    """The first candle whose signals depend on what came after it, or None.

    The history is cut at ``points`` places; what the strategy then says about every candle it still
    sees must be what it said with the whole history. Cuts lie where signals change, where there are
    some: a glance of one candle ahead shows there at once.
    """
    whole = strategy.signals(candles)
    whole.check(len(candles))
    for known in _cuts(whole, len(candles), points):
        part = strategy.signals(candles[slice(0, known)])
        part.check(known)
        for name in (*YES_NO, *DEGREES):
            index = _first_difference(getattr(whole, name), getattr(part, name), known)
            if index is not None:
                return LookAhead(name, index, known, int(candles.time[index]))
    return None


def _cuts(signals: Signals, count: int, points: int) -> list[int]:
    """Half of them just after candles with a signal, the others evenly apart."""
    said = np.flatnonzero(np.any([getattr(signals, name) for name in YES_NO], axis=0))
    half = points // 2
    chosen = (
        said[np.linspace(0, len(said) - 1, min(half, len(said))).astype(int)] + 1
        if len(said)
        else said
    )
    even = np.linspace(count / (points + 1), count, points - len(chosen) + 1)[:-1].astype(int)
    cuts = {int(cut) for cut in (*chosen, *even) if 1 <= cut < count}
    return sorted(cuts)


def _first_difference(whole: Any, part: Any, known: int) -> int | None:
    if whole is None and part is None:
        return None
    if (whole is None) != (part is None):
        return known - 1
    if whole.dtype == np.bool_:
        differs = whole[:known] != part
    else:
        differs = ~np.isclose(whole[:known], part, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    found = np.flatnonzero(differs)
    return int(found[0]) if len(found) else None
