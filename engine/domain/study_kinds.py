"""The kinds of studies: what is wanted, how it is searched, what is given up. Loads nothing."""

from enum import StrEnum


class ObjectiveKey(StrEnum):
    """The objectives there are."""

    SHARPE = "sharpe"
    SORTINO = "sortino"
    CALMAR = "calmar"
    PROFIT_FACTOR = "profit_factor"
    RETURN = "return"
    PENALISED = "penalised"


class Method(StrEnum):
    """How parameters are chosen."""

    GRID = "grid"
    RANDOM = "random"
    TPE = "tpe"


class Pruner(StrEnum):
    """Which trials are given up after a first part of the training."""

    NONE = "none"
    MEDIAN = "median"
    HALVING = "halving"
