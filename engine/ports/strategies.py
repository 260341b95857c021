"""Strategy code, run outside of the engine's process."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.candles import Candles
from engine.domain.decisions import Intent


class StrategyInfo(BaseModel):
    """A strategy file as found on disk. ``error`` says why it cannot be used."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    summary: str = ""
    doc: str = ""
    path: str = ""
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="JSON schema of the parameters, with titles and bounds"
    )
    warmup: int = 0
    history: int = 0
    error: str | None = None


class PlotSeries(BaseModel):
    """A strategy's series for the chart; None while warming up."""

    model_config = ConfigDict(frozen=True)

    name: str
    values: tuple[float | None, ...]
    is_overlay: bool = True
    levels: tuple[float, ...] = ()


class StrategyHost(Protocol):
    """Runs strategy code in worker processes without keys; never in the engine's own."""

    def list(self) -> Sequence[StrategyInfo]:
        """Every file of the folder, broken ones with their error; seen within two seconds."""
        ...

    def get(self, strategy_id: str) -> StrategyInfo:
        """Raises NotFound, or StrategyError when the file is broken."""
        ...

    def validate(self, strategy_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with defaults filled in, as JSON values.

        Raises NotFound, StrategyError, or ConfigError naming the parameter (``params.period``).
        """
        ...

    def history(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """How many candles ``decide`` wants to see."""
        ...

    def warmup(self, strategy_id: str, params: Mapping[str, Any]) -> int:
        """How many candles are needed before the first signal. Raises like ``validate``."""
        ...

    def decide(self, strategy_id: str, params: Mapping[str, Any], candles: Candles) -> Intent:
        """Blocks until the worker answers. Raises StrategyError on failure, nonsense, deadline."""
        ...

    def plots(
        self, strategy_id: str, params: Mapping[str, Any], candles: Candles
    ) -> Sequence[PlotSeries]:
        """The series to draw over ``candles``. Raises like ``decide``."""
        ...

    def close(self) -> None:
        """Stop every worker."""
        ...
