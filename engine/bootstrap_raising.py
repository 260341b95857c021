"""What raises alerts by looking on: losses, summaries, prices, logins."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from engine.bootstrap_core import Core
from engine.domain.losses import LossRules
from engine.jobs import Job
from engine.services.lanes import Lanes
from engine.services.price_alerts import PriceAlertWatcher
from engine.services.summaries import Summaries
from engine.services.track_equity import EquityKeeper
from engine.services.watch_logins import LoginWatcher
from engine.services.watch_losses import LossWatcher

LANE = "raising"
LOSSES_EVERY_S, SUMMARIES_EVERY_S, PRICES_EVERY_S = 10, 15, 2


@dataclass(frozen=True)
class Raising:
    """The watchers, and their rows of the scheduler's table: none begins while it still runs."""

    lanes: Lanes
    losses: LossWatcher
    summaries: Summaries
    prices: PriceAlertWatcher
    logins: LoginWatcher

    @property
    def jobs(self) -> tuple[Job, ...]:
        """None of them is ever in the way of a trade: what blocks is on a lane of its own."""
        return (
            Job("losses", LOSSES_EVERY_S, self.watch_losses),
            Job("summaries", SUMMARIES_EVERY_S, self.tell_summaries),
            Job("price-alerts", PRICES_EVERY_S, self.prices.watch),
        )

    async def watch_losses(self) -> None:
        """What was lost, and logins that have ended."""
        await self.lanes.run(LANE, self.losses.check)
        await self.lanes.run(LANE, self.logins.check)

    async def tell_summaries(self) -> None:
        """What is due."""
        await self.lanes.run(LANE, self.summaries.tell_due)


def build_raising(core: Core, equity: EquityKeeper) -> Raising:
    """Nothing is read yet."""
    settings = core.settings
    zone = ZoneInfo(settings.alert_zone)
    rules = LossRules(settings.alert_daily_loss, settings.alert_drawdown)
    common = (core.books, equity, core.instruments, core.venues)
    return Raising(
        core.lanes,
        LossWatcher(*common, rules, zone),
        Summaries(*common, zone),
        PriceAlertWatcher(core.books, core.venues, core.prices, core.lanes),
        LoginWatcher(core.books),
    )
