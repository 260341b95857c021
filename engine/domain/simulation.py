"""Prices of a simulated world: a pure function of seed, symbol and time.

Nothing is ever stored: every number is a hash of where it stands, so any window of history costs
only its own length and two processes see the same prices. Three layers, coarse to fine:

- *days*: the log price at midnight, a Brownian path by midpoint displacement (Levy-Ciesielski)
  between knots 256 days apart; the knots scatter about a fixed centre, so that prices stay in a
  sane band for ever;
- *minutes*: within a day a bridge of 1440 steps from midnight to midnight, with clustered
  volatility, four-hour regimes (up, down, range, volatile) and short swings that come back; a
  minute's high and low follow from the distribution of a Brownian bridge's extremes;
- *seconds*: within a minute a path through exactly its open, high, low and close.

Longer candles are joins of minutes, and sixty seconds join to their minute, to the last bit.

Volatility over hours and days is that of the named kind of market. Between seconds it is about
twice as much, as if in a thin order book, so that a bot on second candles finds something to
trade; a stop of 2 % and a target of 5 % stay a matter of hours.
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from engine.domain.candles import Candles, FloatArray, IntArray

HashArray = NDArray[np.uint64]

DAY_MS = 86_400_000
MINUTES_A_DAY = 1440
SECONDS_A_MINUTE = 60
KNOT_OCTAVE = 8  # knots 2**8 days apart
CELL = 10  # minutes of one volatility
BLOCK = 240  # minutes of one regime
SWING = 3  # minutes between turning points of the short swings
SWING_SIZE = 1.2  # in standard deviations of a minute
ROUGHNESS = 2.0  # of the path inside a minute, against that between minutes
BURST, BURST_SIZE = 6, 0.6  # seconds of one liveliness, and the spread of its logarithm
MOMENTUM = 0.4  # share of a second's push that goes on into the next
SECOND_NOISE = 0.6  # deviation of a minute of free seconds, as a share of the minute's range
LEAST_LOTS = 2 * SECONDS_A_MINUTE  # of volume in a minute, so that every second trades

REGIME_DRIFT = np.array([0.05, -0.05, 0.0, 0.0])  # per minute, in standard deviations
REGIME_VOLATILITY = np.array([0.9, 1.1, 0.7, 1.7]) / 1.16  # root mean square 1
RANGE_REGIME = 2
# (period in cells, size) of the octaves of the log volatility: a week, a day, four hours, one cell
VOLATILITY_OCTAVES = ((1008, 0.25), (144, 0.25), (24, 0.3), (1, 0.3))
VOLATILITY_SCALE = float(np.exp(-sum(size * size for _, size in VOLATILITY_OCTAVES) * 0.75))


@dataclass(frozen=True, slots=True)
class Character:
    """What distinguishes one simulated symbol.

    ``price`` is the centre of its band, ``volatility`` the standard deviation of a year's log
    returns, ``minute_volume`` the usual base volume of a minute, ``digits`` the price's decimals.
    """

    price: float
    volatility: float
    minute_volume: float
    digits: int


class PriceProcess:
    """The prices of one symbol of one simulated world."""

    def __init__(self, seed: int, symbol: str, character: Character) -> None:
        self._name = f"{seed}:{symbol}"
        self._character = character
        self._scale = 10.0**character.digits
        self._minute_deviation = character.volatility / np.sqrt(365.0 * MINUTES_A_DAY)
        # A power of two: sums of volumes are exact in binary, whatever is joined to what.
        self._lot = 2.0 ** np.floor(np.log2(character.minute_volume / 4096))
        self._keys: dict[str, np.uint64] = {}

    def minutes(self, first_day: int, day_count: int) -> Candles:
        """All 1m candles of whole UTC days; ``first_day`` counts from the epoch."""
        days = np.arange(first_day, first_day + day_count, dtype=np.int64)
        index = days[:, None] * MINUTES_A_DAY + np.arange(MINUTES_A_DAY)
        deviation, drift, is_range = self._weather(days)
        knots = self._minute_knots(days, index, deviation, drift, is_range)
        opened, closed = knots[:, :-1], knots[:, 1:]
        up, down = _uniform_pairs(self._key("extremes"), index)
        # The maximum of a Brownian bridge: Devroye, "On exact simulation algorithms for some
        # distributions related to Brownian motion" (2010), section 2.
        step, spread = (closed - opened) ** 2, -2.0 * (ROUGHNESS * deviation) ** 2
        middle = opened + closed
        high = (middle + np.sqrt(step + spread * np.log(up))) / 2
        low = (middle - np.sqrt(step + spread * np.log(down))) / 2
        prices = self._ticks(knots)
        opened, closed = prices[:, :-1], prices[:, 1:]
        volume = self._minute_volume(index, high - low)
        return Candles(
            "1m",
            index.ravel() * 60_000,
            opened.ravel() / self._scale,
            np.maximum(np.maximum(opened, closed), self._ticks(high)).ravel() / self._scale,
            np.minimum(np.minimum(opened, closed), self._ticks(low)).ravel() / self._scale,
            closed.ravel() / self._scale,
            volume.ravel(),
        )

    def seconds(self, minutes: Candles) -> Candles:
        """The 1s candles inside 1m candles of this process, sixty for each."""
        index = minutes.time[:, None] // 1000 + np.arange(SECONDS_A_MINUTE)
        low, high = self._in_ticks(minutes.low), self._in_ticks(minutes.high)
        path = self._second_knots(minutes, index, low, high)
        opened, closed = path[:, :-1], path[:, 1:]
        up, down = _uniform_pairs(self._key("wicks"), index)
        wick = (high - low) * 0.05
        tops = np.minimum(np.maximum(opened, closed) + np.rint(wick * up * up), high)
        bottoms = np.maximum(np.minimum(opened, closed) - np.rint(wick * down * down), low)
        volume = self._second_volume(minutes.volume, index, tops - bottoms)
        return Candles(
            "1s",
            index.ravel() * 1000,
            opened.ravel() / self._scale,
            tops.ravel() / self._scale,
            bottoms.ravel() / self._scale,
            closed.ravel() / self._scale,
            volume.ravel(),
        )

    # --- days ----------------------------------------------------------------------------------

    def _day_levels(self, days: IntArray) -> FloatArray:
        """The log price at each midnight."""
        deviation = self._character.volatility / np.sqrt(365.0)
        knot_size = deviation * np.sqrt(2.0**KNOT_OCTAVE) / 2
        level = np.log(self._character.price) + knot_size * _interpolated(
            self._key("knots"), days, 2**KNOT_OCTAVE
        )
        for octave in range(1, KNOT_OCTAVE + 1):
            period = 2**octave
            place, within = days // period, (days % period) / period
            tent = 1.0 - np.abs(2.0 * within - 1.0)
            size = deviation * np.sqrt(period) / 2
            # Some days move far more than others: fat tails.
            mood = np.exp(0.5 * _gaussians(self._key("mood"), place * 16 + octave) - 0.25)
            level = level + size * tent * mood * _gaussians(self._key(f"days{octave}"), place)
        return np.asarray(level)

    # --- minutes -------------------------------------------------------------------------------

    def _weather(self, days: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Of each minute: standard deviation and drift of its return; of each block: whether it
        is a range (1.0 or 0.0)."""
        cells_a_day, blocks_a_day = MINUTES_A_DAY // CELL, MINUTES_A_DAY // BLOCK
        cells = days[:, None] * cells_a_day + np.arange(cells_a_day)
        log_volatility = np.zeros(cells.shape)
        for period, size in VOLATILITY_OCTAVES:
            log_volatility += size * _interpolated(self._key(f"volatility{period}"), cells, period)
        cells_a_block = BLOCK // CELL
        shifted = cells - cells_a_block // 2  # regimes blend from centre to centre
        block, within = shifted // cells_a_block, (shifted % cells_a_block) / cells_a_block
        now, following = self._regimes(block), self._regimes(block + 1)
        weight = within * within * (3.0 - 2.0 * within)
        volatility = _mixed(REGIME_VOLATILITY[now], REGIME_VOLATILITY[following], weight)
        drift = _mixed(REGIME_DRIFT[now], REGIME_DRIFT[following], weight)
        deviation = self._minute_deviation * VOLATILITY_SCALE * np.exp(log_volatility) * volatility
        blocks = days[:, None] * blocks_a_day + np.arange(blocks_a_day)
        return (
            np.repeat(deviation, CELL, axis=1),
            np.repeat(drift * deviation, CELL, axis=1),
            (self._regimes(blocks) == RANGE_REGIME).astype(np.float64),
        )

    def _regimes(self, blocks: IntArray) -> IntArray:
        return (_hashes(self._key("regimes"), blocks) >> np.uint64(62)).astype(np.int64)

    def _minute_knots(
        self,
        days: IntArray,
        index: IntArray,
        deviation: FloatArray,
        drift: FloatArray,
        is_range: FloatArray,
    ) -> FloatArray:
        """Log prices at the start of each minute and at the next midnight: 1441 a day."""
        walk = np.zeros((len(days), MINUTES_A_DAY + 1))
        steps = deviation * _gaussians(self._key("minutes"), index) + drift
        np.cumsum(steps, axis=1, out=walk[:, 1:])
        # A range ends where it began: its own net move is taken out evenly.
        net = np.diff(walk[:, ::BLOCK], axis=1) * is_range
        pull = np.repeat(net / BLOCK, BLOCK, axis=1)
        walk[:, 1:] -= np.cumsum(pull, axis=1)
        levels = self._day_levels(np.append(days, days[-1] + 1))
        start, end = levels[:-1, None], levels[1:, None]
        share = np.arange(MINUTES_A_DAY + 1) / MINUTES_A_DAY
        knots = start + walk + (end - start - walk[:, -1:]) * share
        knots[:, -1] = levels[1:]  # exactly the next day's beginning
        knots += SWING_SIZE * self._minute_deviation * self._swings(days)
        return np.asarray(knots)

    def _swings(self, days: IntArray) -> FloatArray:
        """The short swings at each minute and at the next midnight, straight between turns."""
        turns_a_day = MINUTES_A_DAY // SWING
        turns = _gaussians(
            self._key("swings"), days[:, None] * turns_a_day + np.arange(turns_a_day + 1)
        )
        weight = np.tile(np.arange(SWING) / SWING, turns_a_day)
        before = np.repeat(turns[:, :-1], SWING, axis=1)
        after = np.repeat(turns[:, 1:], SWING, axis=1)
        return np.concatenate([_mixed(before, after, weight), turns[:, -1:]], axis=1)

    def _minute_volume(self, index: IntArray, log_range: FloatArray) -> FloatArray:
        """Volume rises with the minute's range; never nothing."""
        activity = 0.35 + 0.4 * log_range / (ROUGHNESS * self._minute_deviation)
        chance = np.exp(0.4 * _gaussians(self._key("volume"), index))
        lots = np.rint(self._character.minute_volume / self._lot * activity * chance)
        return np.asarray(np.maximum(lots, LEAST_LOTS) * self._lot)

    # --- seconds -------------------------------------------------------------------------------

    def _second_knots(
        self, minutes: Candles, index: IntArray, low: FloatArray, high: FloatArray
    ) -> FloatArray:
        """Prices in ticks at the start of each second and at the minute's end: 61 a minute.

        A random walk bent through the minute's open, its two extremes at hashed seconds, and its
        close; what would leave the minute's range is reflected at its border.
        """
        opened, closed = self._in_ticks(minutes.open), self._in_ticks(minutes.close)
        span = high - low
        noise = span * (SECOND_NOISE / np.sqrt(SECONDS_A_MINUTE))
        burst = np.exp(BURST_SIZE * _gaussians(self._key("bursts"), index // BURST) - BURST_SIZE**2)
        pushes = _gaussians(self._key("seconds"), index)
        pushes = pushes + MOMENTUM * _gaussians(self._key("seconds"), index - 1)
        walk = np.zeros((len(minutes), SECONDS_A_MINUTE + 1))
        np.cumsum(noise * burst * pushes, axis=1, out=walk[:, 1:])
        first, second, is_low_first = self._turning_points(minutes)
        values = np.where(is_low_first, low, high), np.where(is_low_first, high, low)
        end = np.full_like(first, SECONDS_A_MINUTE)
        legs = (
            (np.zeros_like(first), first, opened, values[0]),
            (first, second, values[0], values[1]),
            (second, end, values[1], closed),
        )
        clock = np.arange(SECONDS_A_MINUTE + 1)
        path = np.empty_like(walk)
        for start, stop, begin, finish in legs:
            at_start = np.take_along_axis(walk, start, axis=1)
            at_stop = np.take_along_axis(walk, stop, axis=1)
            share = (clock - start) / (stop - start)
            bridge = begin + walk - at_start + (finish - begin - at_stop + at_start) * share
            is_inside = (clock >= start) & (clock <= stop)
            np.copyto(path, bridge, where=is_inside)
        width = np.maximum(span, 1.0)
        path = low + width - np.abs((path - low) % (2 * width) - width)
        path = np.clip(np.rint(path), low, high)
        for place, value in ((first, values[0]), (second, values[1])):
            np.put_along_axis(path, place, value, axis=1)
        path[:, :1], path[:, -1:] = opened, closed
        return np.asarray(path)

    def _turning_points(self, minutes: Candles) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
        """Two different seconds in 1..59, in order, and whether the low comes first."""
        chances = _hashes(self._key("turns"), minutes.time[:, None] // 60_000)
        inner = np.uint64(SECONDS_A_MINUTE - 2)
        one = (chances & np.uint64(0xFFFF)) % (inner + np.uint64(1))
        other = (one + np.uint64(1) + ((chances >> np.uint64(16)) & np.uint64(0xFFFF)) % inner) % (
            inner + np.uint64(1)
        )
        first = np.minimum(one, other).astype(np.int64) + 1
        second = np.maximum(one, other).astype(np.int64) + 1
        is_usual = (chances >> np.uint64(48)) < np.uint64(49152)  # three times in four
        has_risen = (minutes.close >= minutes.open)[:, None]
        return first, second, is_usual == has_risen

    def _second_volume(
        self, minute_volume: FloatArray, index: IntArray, ticks: FloatArray
    ) -> FloatArray:
        """A minute's lots dealt out to its seconds, one at least to each."""
        spare = np.rint(minute_volume / self._lot)[:, None] - SECONDS_A_MINUTE
        chance, _ = _uniform_pairs(self._key("lots"), index)
        weights = np.cumsum((0.2 + chance) * (1.0 + ticks), axis=1)
        dealt = np.floor(spare * (weights / weights[:, -1:]))
        return np.asarray((np.diff(dealt, axis=1, prepend=0.0) + 1.0) * self._lot)

    # --- small parts ---------------------------------------------------------------------------

    def _ticks(self, log_price: FloatArray) -> FloatArray:
        return np.asarray(np.maximum(np.rint(np.exp(log_price) * self._scale), 1.0))

    def _in_ticks(self, prices: FloatArray) -> FloatArray:
        return np.asarray(np.rint(prices * self._scale))[:, None]

    def _key(self, stream: str) -> np.uint64:
        key = self._keys.get(stream)
        if key is None:
            digest = blake2b(f"{self._name}:{stream}".encode(), digest_size=8).digest()
            key = self._keys[stream] = np.uint64(int.from_bytes(digest, "little"))
        return key


def _hashes(key: np.uint64, index: IntArray) -> HashArray:
    """64 random bits for every index: Steele, Lea, Flood, "Fast splittable pseudorandom number
    generators" (2014), SplitMix64."""
    bits = index.astype(np.uint64)
    bits *= np.uint64(0x9E3779B97F4A7C15)
    bits += key
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    return bits


def _gaussians(key: np.uint64, index: IntArray) -> FloatArray:
    """Nearly normal numbers: the sum of four 16-bit uniforms (Irwin-Hall), mean 0, deviation 1."""
    bits, mask = _hashes(key, index), np.uint64(0xFFFF)
    total = (bits & mask) + (bits >> np.uint64(48))
    total += (bits >> np.uint64(16)) & mask
    total += (bits >> np.uint64(32)) & mask
    return np.asarray((total.astype(np.float64) - 131_070.0) * (np.sqrt(3.0) / 65_536.0))


def _uniform_pairs(key: np.uint64, index: IntArray) -> tuple[FloatArray, FloatArray]:
    """Two independent numbers in (0, 1) for every index."""
    bits = _hashes(key, index)
    low = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64)
    high = (bits >> np.uint64(32)).astype(np.float64)
    return (low + 0.5) * 2.0**-32, (high + 0.5) * 2.0**-32


def _interpolated(key: np.uint64, index: IntArray, period: int) -> FloatArray:
    """Gaussians at the multiples of ``period``, joined by straight lines."""
    place = index // period
    before = _gaussians(key, place)
    if period == 1:
        return before
    return _mixed(before, _gaussians(key, place + 1), (index % period) / period)


def _mixed(before: FloatArray, after: FloatArray, weight: FloatArray) -> FloatArray:
    return before + (after - before) * weight
