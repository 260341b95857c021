"""What the fake engine offers of studies: the real services over parts in memory, their trials
carried out in this process."""

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engine.adapters.compute.inline import InlineCompute
from engine.adapters.search.optuna_search import OptunaSearches
from engine.adapters.strategies.loader import load_source
from engine.api.study_desk import StudyDesk
from engine.api.views import Views
from engine.contracts import Bot, BotView
from engine.domain.retunes import Retune, RetuneSettings, first_due
from engine.domain.studies import Study
from engine.errors import Conflict
from engine.ports import CandleFileContent, Crew, Outcome
from engine.ports.compute import never
from engine.services.backtests import bot_config
from engine.services.retunes import Retuner
from engine.services.studies import StudyService, WinnerMaker, as_run
from engine.services.study_runner import StudyRunner
from engine.services.study_setting import StudyPlanner
from tests.fakes.backtests import BacktestRoom
from tests.fakes.candles import random_candles
from tests.support.tuning import FileHost
from tests.unit.samples import instrument

if TYPE_CHECKING:
    from tests.fakes.services import FakeServices

FILE = "BTC-USDT.1h.csv"


class GatedCompute(InlineCompute):
    """Everything in this process. While ``gate`` is closed a run stands still, as a long one does,
    until it is cancelled."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.runs = 0

    @contextmanager
    def crew(self, shared: Any) -> Iterator[Crew]:
        """The caller's thread."""
        with super().crew(shared) as crew:
            yield _GatedCrew(self, crew)


class _GatedCrew:
    def __init__(self, compute: GatedCompute, crew: Crew) -> None:
        self._compute = compute
        self._crew = crew

    def run(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        *,
        on_result: Callable[[int, Outcome[Any]], None],
        is_cancelled: Callable[[], bool] = never,
    ) -> bool:
        self._compute.runs += 1
        while not self._compute.gate.wait(0.005):
            if is_cancelled():
                return False
        return self._crew.run(function, items, on_result=on_result, is_cancelled=is_cancelled)


class StudyRoom:
    """The real services: ``service``, ``runner`` and what they stand on."""

    def __init__(self, folder: Path, backtests: BacktestRoom | None = None) -> None:
        content = CandleFileContent(
            instrument(), random_candles(800, 1, timeframe="1h"), f"replay:/candles/{FILE}"
        )
        self.backtests = backtests or BacktestRoom({FILE: content}, host=FileHost())
        self.folder = folder
        self.ended: list[Study] = []
        self.start()

    def start(self) -> None:
        """As an engine starts over what is there."""
        room = self.backtests
        room.start()
        self.books, self.compute = room.books, GatedCompute()
        self.searches = OptunaSearches(self.folder)
        self.planner = StudyPlanner(room.planner, room.host, load_source)
        self.runner = StudyRunner(
            room.books, self.planner, self.compute, self.searches, self.ended.append
        )
        self.service = StudyService(room.books, self.planner, self.runner, self.searches, room.host)

    def close(self) -> None:
        """Let everything end."""
        self.compute.gate.set()
        self.runner.close()
        self.backtests.close()


class FakeStudies:
    """Made when it is first asked for: most tests never do."""

    def __init__(self, services: "FakeServices") -> None:
        self._services = services

    @cached_property
    def room(self) -> StudyRoom:
        """The services behind the desk, over one file and the simulated market."""
        folder = Path(tempfile.mkdtemp(prefix="fake-studies-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return StudyRoom(folder)

    @cached_property
    def desk(self) -> StudyDesk:
        """The real one."""
        maker = cast("WinnerMaker", _Maker(self.room.service, self._services))
        retuner = cast("Retuner", _Retuner(self._services))
        return StudyDesk(self.room.service, maker, retuner, cast("Views", _Views(self._services)))


class _Maker:
    def __init__(self, service: StudyService, services: "FakeServices") -> None:
        self._service = service
        self._services = services

    def make(self, study_id: str, actor: str, *, name: str, market: str, speed: float) -> Bot:
        study = self._service.get(study_id)
        if not study.summary.best:
            raise Conflict("This study has no winner to make a bot of.")
        config = bot_config(as_run(study), name, market or "simulated", study.symbol)
        return self._services.bots[self._services.create_bot(config, actor).id]


class _Retuner:
    def __init__(self, services: "FakeServices") -> None:
        self._services = services
        self._kept: dict[str, Retune] = {}

    def get(self, key: str) -> Retune:
        bot = self._services.find(key)
        return self._kept.get(bot.id) or Retune(bot_id=bot.id, updated_at=self._services.now())

    def put(self, key: str, settings: RetuneSettings, actor: str) -> Retune:
        now = self._services.now()
        changed = self.get(key).model_copy(
            update={"settings": settings,
                    "next_at": first_due(settings, now) if settings.is_on else None}
        )  # fmt: skip
        self._kept[changed.bot_id] = changed
        return changed


class _Views:
    def __init__(self, services: "FakeServices") -> None:
        self._services = services

    def bot(self, bot: Bot) -> BotView:
        return self._services.get_bot(bot.id)
