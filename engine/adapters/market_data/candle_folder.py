"""``ports.CandleFiles``: the candle files of the data folder, by name."""

from collections.abc import Sequence
from pathlib import Path

from engine.adapters.market_data.replay import PREFIX
from engine.errors import NotFound
from engine.links.candle_files import SUFFIXES, find_file, read_candle_file
from engine.ports import CandleFileContent


class CandleFolder:
    """Files of ``folder``; nothing outside of it can be named."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> Sequence[str]:
        """All candle files, sorted; none when the folder is absent."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if _is_candles(path))

    def read(self, name: str) -> CandleFileContent:
        """A file by its name, or as the candle library calls it. Raises NotFound, ConfigError."""
        path = self._folder / name if name in self.names() else find_file(self._folder, name)
        if path is None:
            raise NotFound(
                f"There is no candle file '{name}' in {self._folder}.", field="source.files"
            )
        content = read_candle_file(path)
        return CandleFileContent(content.instrument, content.candles, f"{PREFIX}{path}")


def _is_candles(path: Path) -> bool:
    return path.suffix in SUFFIXES and path.is_file()
