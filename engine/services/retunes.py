"""Tuning bots again on their schedule: a study on the bot's own market, and a contest."""

import logging
from typing import Any

from engine.domain.backtest_runs import BacktestRequest, MarketSource
from engine.domain.backtests import BacktestTerms
from engine.domain.bots import Bot, ExitRules
from engine.domain.records import Level
from engine.domain.retunes import (
    Retune,
    RetuneSettings,
    contest,
    first_due,
    next_due,
)
from engine.domain.studies import Study, StudyRequest, StudyState
from engine.domain.timeframes import timeframe_delta
from engine.errors import ConfigError, Conflict, NotFound, QuarterdeckError
from engine.ports import StrategyHost, Venues
from engine.services.books import Books, Writing
from engine.services.bots import BotService
from engine.services.lanes import Lanes
from engine.services.places import run_where_it_is
from engine.services.studies import StudyService
from engine.services.study_space import space_of

log = logging.getLogger("quarterdeck.retunes")

ACTOR = "re-tuning"
RETUNE_LANE = "retunes"


class Retuner:
    """Keeps the schedules, starts studies, and applies those that won while their bot is flat."""

    def __init__(
        self,
        books: Books,
        studies: StudyService,
        bots: BotService,
        host: StrategyHost,
        venues: Venues,
        lanes: Lanes,
    ) -> None:
        self._books = books
        self._studies = studies
        self._bots = bots
        self._host = host
        self._venues = venues
        self._lanes = lanes

    def get(self, key: str) -> Retune:
        """A bot's, off where none was set. Raises NotFound."""
        bot = self._books.get_bot(key)
        with self._books.store.reading() as tx:
            found = tx.retunes.find(bot.id)
        return found or Retune(bot_id=bot.id, updated_at=self._books.clock.now())

    def put(self, key: str, settings: RetuneSettings, actor: str) -> Retune:
        """Set it. Raises NotFound, ConfigError with the field."""
        bot = self._books.get_bot(key)
        if settings.is_on:
            self._check(bot, settings)
        now = self._books.clock.now()
        changed = self.get(bot.id).model_copy(
            update={
                "settings": settings, "updated_at": now, "wins": {},
                "next_at": first_due(settings, now) if settings.is_on else None,
            }
        )  # fmt: skip
        with self._books.writing() as writing:
            self._put(writing, changed)
            writing.audit(actor, "retune.set", bot.id, is_on=settings.is_on)
        return changed

    def _check(self, bot: Bot, settings: RetuneSettings) -> None:
        if self._venues.is_stepped(bot.config.market):
            raise ConfigError("A replay has no history of its own to tune on.", field="is_on")
        info = self._host.get(bot.config.strategy)
        space_of(info.parameters, settings.ranges, {}, settings.method)

    async def begin_due(self) -> None:
        """The job: judge what has ended, apply what has won, start what is due."""
        if not self._lanes.backlog(RETUNE_LANE):
            for retune in await self._lanes.run(RETUNE_LANE, self._look):
                bot = self._books.bots.get(retune.bot_id)
                if bot is not None:
                    await run_where_it_is(self._books, self._lanes, bot, self.apply, retune.bot_id)

    def _look(self) -> list[Retune]:
        """Judge and start; those whose winner waits to be applied."""
        with self._books.store.reading() as tx:
            retunes = tx.retunes.select()
        waiting = []
        for retune in retunes:
            try:
                now = self._advance(retune)
            except QuarterdeckError as error:
                self._keep(retune, f"Tuning again failed: {error.message}", Level.WARNING,
                           study_id="")  # fmt: skip
                continue
            if now.wins:
                waiting.append(now)
        return waiting

    def _advance(self, retune: Retune) -> Retune:
        if retune.bot_id not in self._books.bots:
            return retune
        if retune.study_id:
            retune = self._judge(retune)
        now = self._books.clock.now()
        is_due = retune.settings.is_on and retune.next_at is not None and retune.next_at <= now
        if is_due and not retune.study_id and not retune.wins:
            retune = self._start(retune)
        return retune

    def _start(self, retune: Retune) -> Retune:
        now, bot = self._books.clock.now(), self._books.bots[retune.bot_id]
        # First the next time: what fails is not tried again every minute.
        retune = retune.model_copy(update={"next_at": next_due(retune.settings, now)})
        with self._books.writing() as writing:
            self._put(writing, retune)
        study = self._studies.create(self._request(bot, retune.settings), ACTOR, retune_of=bot.id)
        retune = retune.model_copy(update={"study_id": study.id})
        with self._books.writing() as writing:
            self._put(writing, retune)
            writing.event(Level.INFO, "retune.started", f"A study tunes it again: {study.name}.",
                          bot.id)  # fmt: skip
        return retune

    def _request(self, bot: Bot, settings: RetuneSettings) -> StudyRequest:
        """A study on what the bot trades, with its own terms and costs."""
        config = bot.config
        market = self._venues.market(bot.market, bot.id)
        broker = self._venues.broker(bot.account_id, market)
        backtest = BacktestRequest(
            strategy=config.strategy,
            params={name: value for name, value in config.params.items()
                    if settings.ranges and name not in settings.ranges},
            source=MarketSource(market=config.market, symbols=(config.symbol,)),
            timeframe=config.timeframe,
            since=market.now() - settings.lookback_bars * timeframe_delta(config.timeframe),
            terms=BacktestTerms(
                cash=config.starting_capital, amount=config.amount, reinvest=config.reinvest,
                direction=config.direction, max_entries=config.max_entries,
                fee_bps=broker.capabilities.fee_bps,
                exits=ExitRules(**{name: getattr(config, name) for name in ExitRules.model_fields}),
            ),
        )  # fmt: skip
        return StudyRequest(
            name=f"{config.name}: tuned again"[:80], backtest=backtest, ranges=settings.ranges,
            objective=settings.objective, method=settings.method, trials=settings.trials,
            seed=settings.seed, holdout=settings.holdout, min_trades=settings.min_trades,
            baseline=config.params,
        )  # fmt: skip

    def _judge(self, retune: Retune) -> Retune:
        """What became of the study under way."""
        try:
            study = self._studies.get(retune.study_id)
        except NotFound:
            return self._keep(retune, "Its study was deleted.", Level.WARNING, study_id="")
        if study.is_active:
            return retune
        if study.state is StudyState.INTERRUPTED:
            self._studies.resume(study.id, ACTOR)
            return retune
        if study.state is not StudyState.DONE:
            words = f"Its study {study.state.value}. {study.error}".strip()
            return self._keep(retune, words, Level.WARNING, study_id="")
        return self._decide(retune, study)

    def _decide(self, retune: Retune, study: Study) -> Retune:
        bot = self._books.bots[retune.bot_id]
        found = contest(retune.settings, study.summary, bot.config.params)
        wins: dict[str, Any] = {}
        if found.is_won:
            params = {**bot.config.params, **study.summary.params}
            wins = {"params": params, "exits": study.summary.exits}
        numbers = {"challenger": found.challenger, "present": found.present, "study": study.id}
        kind = "retune.won" if found.is_won else "retune.kept"
        words = f"{found.words} They are applied when the bot is flat." if wins else found.words
        changes = {"study_id": "", "wins": wins}
        return self._keep(retune, words, Level.INFO, kind=kind, data=numbers, **changes)

    def apply(self, bot_id: str) -> bool:
        """Give a bot what won, if it is flat; on its account's lane. Whether it was applied."""
        with self._books.store.reading() as tx:
            retune = tx.retunes.find(bot_id)
        if retune is None or not retune.wins:
            return False
        exits = {name: repr(value) for name, value in retune.wins.get("exits", {}).items()}
        try:
            self._bots.tune(bot_id, retune.wins["params"], exits, ACTOR)
        except Conflict:
            return False  # it holds something; tried again in a while
        except QuarterdeckError as error:
            words = f"The new parameters could not be applied: {error.message}"
            self._keep(retune, words, Level.WARNING, wins={})
            return False
        words = f"{retune.outcome.removesuffix(' They are applied when the bot is flat.')} Applied."
        self._keep(retune, words, Level.INFO, kind="retune.applied", wins={})
        return True

    def _keep(
        self,
        retune: Retune,
        words: str,
        level: Level,
        *,
        kind: str = "retune.failed",
        data: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Retune:
        """Write what became of it, with an event."""
        changed = retune.model_copy(update={"outcome": words, **changes})
        with self._books.writing() as writing:
            self._put(writing, changed)
            writing.event(level, kind, words, retune.bot_id, **(data or {}))
        return changed

    def _put(self, writing: Writing, retune: Retune) -> None:
        changed = retune.model_copy(update={"updated_at": self._books.clock.now()})
        if writing.tx.retunes.find(retune.bot_id) is None:
            writing.tx.retunes.add(changed)
        else:
            writing.tx.retunes.save(changed)
