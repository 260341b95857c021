"""Fewer points for a chart, without losing what a person looks for: the peaks and the lows."""

import numpy as np

from engine.domain.candles import FloatArray, IntArray

MOST_POINTS = 2_000


def kept_rows(values: FloatArray, most: int = MOST_POINTS) -> IntArray:
    """Which rows of a curve to draw, rising, at most ``most`` of them (4 or more).

    The first and the last always, and the least and the greatest value of each stretch between.
    Raises ValueError for ``most`` under 4.
    """
    if most < 4:
        raise ValueError("a curve needs at least four points")
    count = len(values)
    if count <= most:
        return np.arange(count, dtype=np.int64)
    stretches = (most - 2) // 2
    edges = np.linspace(1, count - 1, stretches + 1).astype(np.int64)
    width = int(np.diff(edges).max())
    # Stretches of unequal length as rows of one matrix: the last value of a stretch fills it up.
    columns = np.minimum(edges[:-1, None] + np.arange(width), edges[1:, None] - 1)
    cells = values[columns]
    stretch = np.arange(stretches)
    least = columns[stretch, np.argmin(cells, axis=1)]
    greatest = columns[stretch, np.argmax(cells, axis=1)]
    return np.unique(np.concatenate(([0], least, greatest, [count - 1])))
