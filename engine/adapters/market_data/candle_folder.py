"""``ports.CandleFiles``: the candle files of the data folder, by name."""

from collections.abc import Sequence
from pathlib import Path

from engine.adapters.market_data.replay import PREFIX, SUFFIXES
from engine.errors import NotFound
from engine.links.candle_files import read_candle_file
from engine.ports import CandleFileContent


class CandleFolder:
    """Files of ``folder``; nothing outside of it can be named."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> Sequence[str]:
        """All candle files, sorted; none when the folder is absent."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if path.suffix in SUFFIXES)

    def read(self, name: str) -> CandleFileContent:
        """Raises NotFound, ConfigError."""
        if name not in self.names():
            raise NotFound(
                f"There is no candle file '{name}' in {self._folder}.", field="source.files"
            )
        path = self._folder / name
        content = read_candle_file(path)
        return CandleFileContent(content.instrument, content.candles, f"{PREFIX}{path}")
