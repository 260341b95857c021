"""The sources of candles there are, made when they are first asked."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.errors import ConfigError
from engine.ports import CandleSource


@dataclass(frozen=True)
class SourceKind:
    """Sources whose id is, or begins with, a prefix: how they are made, which are offered."""

    make: Callable[[str], CandleSource]
    offered: Mapping[str, str]
    """Titles by id."""

    note: str
    timeframes: Sequence[str]
    """Of the form, before a source is made: making one may take a second."""

    needs: str = ""
    """What is missing before stocks can be asked for, in words; empty: nothing."""


class CandleSources:
    """Used from many threads. The kinds are rows of a table, by an id or by what it begins with."""

    def __init__(self, kinds: Mapping[str, SourceKind]) -> None:
        self.kinds = kinds
        self._made: dict[str, CandleSource] = {}
        self._lock = threading.Lock()

    def get(self, source_id: str) -> CandleSource:
        """Raises ConfigError for an id of no kind, NotFound for an exchange that nobody knows."""
        prefix = source_id.partition(":")[0]
        kind = self.kinds.get(source_id) or self.kinds.get(prefix)
        if kind is None or not (source_id in kind.offered or prefix == "ccxt"):
            known = ", ".join(one for row in self.kinds.values() for one in row.offered)
            raise ConfigError(f"There is no source '{source_id}'; there are {known}.",
                              field="source")  # fmt: skip
        with self._lock:
            if source_id not in self._made:
                self._made[source_id] = kind.make(source_id)
            return self._made[source_id]
