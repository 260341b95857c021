"""What belongs to a backup beside the database: an allowlist, so that no key is taken by chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DATA, STRATEGIES = "data", "strategies"
"""Where they are within a backup."""

FOLDERS = ("brokers", "backtests", "studies")
CANDLES = "candles"
LATCH = "KILL"
NEVER = frozenset({"api.token", "secret.key", ".env"})
"""Wherever they lie."""

LEFT_OUT = frozenset({"__pycache__"})


@dataclass(frozen=True)
class Sources:
    """Where the user's files are."""

    data: Path
    strategies: Path

    def files(self, *, with_candles: bool) -> Iterator[tuple[str, Path]]:
        """Names within a backup, and the files; in order. Raises OSError."""
        for folder in (*FOLDERS, *((CANDLES,) if with_candles else ())):
            yield from _walk(self.data / folder, f"{DATA}/{folder}")
        if (self.data / LATCH).is_file():
            yield f"{DATA}/{LATCH}", self.data / LATCH
        yield from _walk(self.strategies, STRATEGIES)


def _walk(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name in NEVER | LEFT_OUT or path.name.startswith("."):
            continue
        if path.is_dir():
            if not path.is_symlink():  # it may lead back
                yield from _walk(path, f"{name}/{path.name}")
        elif path.is_file():
            yield f"{name}/{path.name}", path
