"""What the fake engine offers of backtests: the real desk over parts in memory."""

from functools import cached_property
from typing import TYPE_CHECKING, cast

from engine.adapters.reports.html_report import HtmlReports
from engine.api.backtest_desk import BacktestDesk
from engine.api.views import Views
from engine.contracts import Bot, BotView
from engine.ports import CandleFileContent
from engine.services.backtests import BacktestService, BotMaker, bot_config
from tests.fakes.backtests import BacktestRoom
from tests.fakes.candles import random_candles
from tests.unit.samples import instrument

if TYPE_CHECKING:
    from tests.fakes.services import FakeServices

FILE = "BTC-USDT.1h.csv"


class FakeBacktests:
    """Made when it is first asked for: most tests never do. ``room`` has the parts."""

    def __init__(self, services: "FakeServices") -> None:
        self._services = services

    @cached_property
    def room(self) -> BacktestRoom:
        """The services behind the desk, over one file and the simulated market."""
        candles = random_candles(800, 1, timeframe="1h")
        content = CandleFileContent(instrument(), candles, f"replay:/candles/{FILE}")
        return BacktestRoom({FILE: content}, clock=_Clock(self._services))

    @cached_property
    def desk(self) -> BacktestDesk:
        """The real one."""
        maker = cast("BotMaker", _Maker(self.room.service, self._services))
        views = cast("Views", _Views(self._services))
        return BacktestDesk(self.room.service, maker, self.room.host, views, HtmlReports())


class _Clock:
    """The fake engine's time."""

    def __init__(self, services: "FakeServices") -> None:
        self.now = services.now

    def monotonic(self) -> float:
        return self.now().timestamp()


class _Maker:
    """Makes bots of the fake engine."""

    def __init__(self, service: BacktestService, services: "FakeServices") -> None:
        self._service = service
        self._services = services

    def make(
        self, run_id: str, actor: str, *, name: str, market: str, symbol: str, speed: float
    ) -> Bot:
        run = self._service.get(run_id)
        chosen = symbol or run.coverage[0].symbol
        config = bot_config(run, name, market or "simulated", chosen)
        return self._services.bots[self._services.create_bot(config, actor).id]


class _Views:
    """Bots as the fake engine shows them."""

    def __init__(self, services: "FakeServices") -> None:
        self._services = services

    def bot(self, bot: Bot) -> BotView:
        return self._services.get_bot(bot.id)
