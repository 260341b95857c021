"""Rules of the fake services: the real service over a dictionary and the simulated market."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engine.adapters.market_data.simulated import SimulatedMarket
from engine.adapters.strategies.host import ID_PATTERN
from engine.adapters.strategies.loader import describe
from engine.api.rule_desk import RuleDesk
from engine.contracts import Bot, StrategyView
from engine.domain.rule_strategy import strategy_of
from engine.domain.rules import RuleSet
from engine.errors import ConfigError, Conflict, NotFound, StrategyError
from engine.ports import MarketData
from engine.services.books import Books
from engine.services.rules import RuleService
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from tests.fakes.services import FakeServices
    from tests.fakes.venues import FakeVenues

CODE = ("rsi", "ma_cross", "bollinger", "broken")


class MemoryRuleBook:
    """``ports.RuleBook`` over ``kept``; an id in ``broken`` has that error instead of rules."""

    def __init__(self) -> None:
        self.kept: dict[str, RuleSet] = {}
        self.broken: dict[str, str] = {}

    def ids(self) -> Sequence[str]:
        """All of both."""
        return sorted({*self.kept, *self.broken})

    def read(self, rules_id: str) -> RuleSet:
        """Raises NotFound, StrategyError."""
        if rules_id in self.broken:
            raise StrategyError(self.broken[rules_id])
        if rules_id not in self.kept:
            raise NotFound(f"There are no rules named '{rules_id}'.", field="id")
        return self.kept[rules_id]

    def write(self, rules_id: str, rules: RuleSet, *, is_new: bool) -> None:
        """Raises ConfigError, Conflict."""
        if not ID_PATTERN.fullmatch(rules_id):
            raise ConfigError("must be letters, digits and _, a letter first", field="id")
        if rules_id in CODE:
            raise Conflict(f"{rules_id}.py is a strategy already.", field="id")
        if is_new and rules_id in self.ids():
            raise Conflict(f"There are rules named '{rules_id}' already.", field="id")
        self.broken.pop(rules_id, None)
        self.kept[rules_id] = rules

    def delete(self, rules_id: str) -> None:
        """Raises NotFound."""
        if rules_id not in self.ids():
            raise NotFound(f"There are no rules named '{rules_id}'.", field="id")
        self.kept.pop(rules_id, None)
        self.broken.pop(rules_id, None)

    def strategies(self) -> list[StrategyView]:
        """What is kept, as strategies."""
        views = []
        for rules_id, rules in self.kept.items():
            path = Path(f"strategies/{rules_id}.rules.json")
            told = describe(rules_id, path, strategy_of(rules_id, rules))
            views.append(StrategyView(error=None, **{
                name: value for name, value in told.items() if name != "history"
            }))  # fmt: skip
        return views


@dataclass
class _Writing:
    services: "FakeServices"

    def audit(self, actor: str, action: str, subject: str, **_detail: Any) -> None:
        self.services.record(actor, action, subject)


@dataclass
class _Books:
    """As much of the books as the rules' service uses."""

    services: "FakeServices"

    @property
    def bots(self) -> Mapping[str, Bot]:
        return self.services.bots

    @contextmanager
    def writing(self) -> Iterator[_Writing]:
        yield _Writing(self.services)


class _Venues:
    """The simulated market at a fixed time."""

    def __init__(self) -> None:
        self._market = SimulatedMarket(7, FakeClock(datetime(2026, 1, 21, tzinfo=UTC)))

    def market(self, market_id: str, bot_id: str | None = None) -> MarketData:
        if market_id != "simulated":
            raise NotFound(f"There is no market '{market_id}'.", field="market")
        return self._market

    def forget(self, bot_id: str) -> None:
        """Nothing is kept."""


def rule_desk(services: "FakeServices", book: MemoryRuleBook) -> RuleDesk:
    """The real desk and service over stand-ins."""
    books, venues = cast("Books", _Books(services)), cast("FakeVenues", _Venues())
    return RuleDesk(RuleService(books, book, venues))
