"""What asking a model costs beside the model itself, and what a provider that hangs costs others.

Times are shown; what is asserted are ratios within one run, so that a slow machine is no failure.
"""

import asyncio
import threading
import time
from pathlib import Path
from statistics import quantiles

from engine.adapters.store.store import SqlStore
from engine.domain.advice import AiConfig
from engine.services.advise import KEEP_S
from tests.fakes.model import ScriptedModel
from tests.support.advising import bench, news, proposal, situation

QUESTIONS = 300
NEWS = tuple(
    news(f"Title {number} of a usual length", "Two sentences. " * 10) for number in range(8)
)
HUNG_S = 0.5


def test_a_question_costs_milliseconds_beside_the_model(tmp_path: Path) -> None:
    async def play() -> list[float]:
        taken = []
        for _ in range(QUESTIONS):
            began = time.perf_counter()
            await room.advisor.review(situation(news=NEWS), proposal())
            taken.append(time.perf_counter() - began)
        return taken

    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    room = bench(ScriptedModel(), store=store, calls_per_minute=10**6, calls_per_day=10**6)
    parts = quantiles(asyncio.run(play()), n=100)
    store.close()
    print(f"\nprompt to kept row: p50 {parts[49] * 1000:.1f} ms, p99 {parts[98] * 1000:.1f} ms")
    assert parts[98] < AiConfig().deadline_s / 10


def test_a_provider_that_hangs_costs_others_nothing_but_their_deadline() -> None:
    async def play() -> list[float]:
        async def ask() -> float:
            began = time.perf_counter()
            await room.advisor.review(situation(ai=AiConfig(deadline_s=HUNG_S)), proposal())
            return time.perf_counter() - began

        return list(await asyncio.gather(*(ask() for _ in range(100))))

    model = ScriptedModel()
    model.is_held = True
    room = bench(model)
    before = threading.active_count()
    taken = asyncio.run(play())
    grown = threading.active_count() - before
    model.release()
    print(f"\n100 questions: slowest {max(taken):.2f} s of {HUNG_S} s, {grown} more threads")
    assert max(taken) < HUNG_S + KEEP_S
    assert grown < 50
