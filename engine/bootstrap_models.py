"""What is made of models' answers: their outcomes, and the desk by which the API asks for them."""

import asyncio
from dataclasses import dataclass

from engine.api.ai_desk import AiDesk, ModelLimits, Rehearser
from engine.api.dry_runs import DryRuns
from engine.bootstrap_core import Core
from engine.services.feed_calls import FeedCalls
from engine.services.situations import Situations
from engine.services.track_advice import AdviceTracker


@dataclass(frozen=True)
class Models:
    """What runs by itself, and the desk."""

    tracker: AdviceTracker
    desk: AiDesk


def build_models(
    core: Core, advisor: Rehearser, situations: Situations, loop: asyncio.AbstractEventLoop
) -> Models:
    """Build it."""
    settings, books = core.settings, core.books
    ask = FeedCalls(core.feed, loop).ask
    dry_runs = DryRuns(books, core.venues, core.host, situations, ask)
    limits = ModelLimits(
        settings.ai_budget_usd, settings.ai_calls_per_day, settings.ai_calls_per_minute
    )
    return Models(
        tracker=AdviceTracker(books, core.venues, core.lanes, core.feed.timetable),
        desk=AiDesk(books, advisor, dry_runs, limits, loop),
    )
