"""How good a model's answers were: accuracy with its interval, calibration by confidence.

An answer counts once it was seen whether it was right (``advice_outcomes`` says when it is).
Sources: the interval is Wilson's (Wilson 1927, JASA 22:209-212), which stays within 0 and 1 and is
fair for few answers; the score is Brier's (Brier 1950, Monthly Weather Review 78:1-3); the buckets
are those of a reliability diagram, their weighted distance from the diagonal the expected
calibration error (Naeini, Cooper & Hauskrecht 2015, AAAI).
"""

from collections.abc import Iterable, Sequence
from math import isnan, sqrt
from statistics import NormalDist

from pydantic import BaseModel, ConfigDict, Field

BUCKETS = 10
LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


class Interval(BaseModel):
    """Between what a share lies, 19 times of 20."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float


class Accuracy(BaseModel):
    """How many of the answers were right. ``share`` and ``interval`` are None without any."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    right: int = 0
    share: float | None = None
    interval: Interval | None = None


class ConfidenceBucket(Accuracy):
    """The answers whose confidence is at least ``low`` and below ``high`` (the last one's 1 is
    part of it). A calibrated model has a ``share`` near its ``mean_confidence``."""

    low: float
    high: float
    mean_confidence: float | None = None


class Calibration(BaseModel):
    """Confidence against what came true. ``brier`` is the mean squared distance of confidence and
    truth: 0 is perfect, 0.25 is what always saying 0.5 earns. ``error`` is the mean distance of a
    bucket's share from its mean confidence, by the number of its answers."""

    model_config = ConfigDict(frozen=True)

    accuracy: Accuracy = Accuracy()
    buckets: tuple[ConfidenceBucket, ...] = ()
    brier: float | None = Field(default=None, ge=0, le=1)
    error: float | None = Field(default=None, ge=0, le=1)


def accuracy(right: int, count: int) -> Accuracy:
    """``right`` of ``count`` with Wilson's interval. Raises ValueError for an impossible pair."""
    if not 0 <= right <= count:
        raise ValueError(f"{right} of {count} is no share")
    if count == 0:
        return Accuracy()
    return Accuracy(
        count=count, right=right, share=right / count, interval=wilson_interval(right, count)
    )


def wilson_interval(right: int, count: int) -> Interval:
    """Wilson's score interval of a share at ``LEVEL``; ``count`` is at least 1."""
    share = right / count
    scale = 1 + _Z**2 / count
    centre = (share + _Z**2 / (2 * count)) / scale
    half = _Z / scale * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return Interval(low=max(0.0, centre - half), high=min(1.0, centre + half))


def calibration(answers: Iterable[tuple[float, bool]]) -> Calibration:
    """Of pairs of confidence (0 to 1) and whether it was right. Raises ValueError for others."""
    known = list(answers)
    if any(isnan(confidence) or not 0 <= confidence <= 1 for confidence, _ in known):
        raise ValueError("a confidence is between 0 and 1")
    if not known:
        return Calibration(buckets=_buckets(known))
    buckets = _buckets(known)
    return Calibration(
        accuracy=accuracy(sum(is_right for _, is_right in known), len(known)),
        buckets=buckets,
        brier=sum((confidence - is_right) ** 2 for confidence, is_right in known) / len(known),
        error=sum(map(_distance, buckets)) / len(known),
    )


def bucket_of(confidence: float) -> int:
    """The bucket's number, 0 to ``BUCKETS`` - 1. What two decimals say decides, not the last bit
    of a float: 0.7 is in the one that begins with 0.7, not below it."""
    return min(int(round(confidence * BUCKETS, 9)), BUCKETS - 1)


def _buckets(known: Sequence[tuple[float, bool]]) -> tuple[ConfidenceBucket, ...]:
    held: list[list[tuple[float, bool]]] = [[] for _ in range(BUCKETS)]
    for one in known:
        held[bucket_of(one[0])].append(one)
    return tuple(_bucket(number, ones) for number, ones in enumerate(held))


def _bucket(number: int, ones: Sequence[tuple[float, bool]]) -> ConfidenceBucket:
    found = accuracy(sum(is_right for _, is_right in ones), len(ones))
    mean = sum(confidence for confidence, _ in ones) / len(ones) if ones else None
    return ConfidenceBucket(
        **dict(found), low=number / BUCKETS, high=(number + 1) / BUCKETS, mean_confidence=mean
    )


def _distance(bucket: ConfidenceBucket) -> float:
    """From the diagonal, times the number of its answers."""
    if bucket.share is None or bucket.mean_confidence is None:
        return 0.0
    return abs(bucket.share - bucket.mean_confidence) * bucket.count
