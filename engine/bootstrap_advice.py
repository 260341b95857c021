"""Who is asked about bots with a model, and what is told about them."""

from dataclasses import dataclass

from engine.bootstrap_ai import build_advisor
from engine.bootstrap_core import Core
from engine.domain.judge_advice import choose, judge_entry
from engine.ports import Advisor
from engine.services.advise import ModelAdvisor
from engine.services.asked_once import AskedOnce
from engine.services.news_desk import NewsDesk
from engine.services.situations import Situations


@dataclass(frozen=True)
class Advice:
    """``model`` asks whenever it is told to, ``advisor`` once for each decision of a bot;
    ``situations`` gathers what is told."""

    model: ModelAdvisor
    advisor: Advisor
    situations: Situations


def build_advice(core: Core, news: NewsDesk) -> Advice:
    """Build it; nobody is asked before a bot wants it."""
    model = build_advisor(core.settings, core.books, core.lanes)
    return Advice(
        model=model,
        advisor=AskedOnce(model, core.store, core.lanes, judge_entry, choose),
        situations=Situations(
            core.books, core.venues, core.lanes, news.about, core.bridge.find_indicators
        ),
    )
