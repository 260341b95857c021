"""Tuning bots again on their schedule: a study on the bot's own market, and a contest."""

import contextlib
import logging
from typing import Any

from engine.domain.backtest_runs import BacktestRequest, MarketSource
from engine.domain.backtests import BacktestTerms
from engine.domain.bots import Bot, BotConfig, ExitRules
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
WAITS = "They are applied when the bot is flat."
CHANGED = "The bot was changed meanwhile: what was found is for what it was, and is not applied."


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
        """Set it. What the settings before it found, or still look for, is not applied any more.
        Raises NotFound, ConfigError with the field."""
        bot = self._books.get_bot(key)
        if settings.is_on:
            self._check(bot, settings)
        next_at = first_due(settings, self._books.clock.now()) if settings.is_on else None
        study_id = self.get(bot.id).study_id
        with self._books.writing() as writing:
            changed = self._change(
                writing, bot.id, settings=settings, next_at=next_at, study_id="", wins={}
            )
            writing.audit(actor, "retune.set", bot.id, is_on=settings.is_on)
        if study_id:
            self._cancel(study_id, actor)
        return changed

    def _cancel(self, study_id: str, actor: str) -> None:
        with contextlib.suppress(Conflict, NotFound):  # it has just ended, or was deleted
            self._studies.cancel(study_id, actor)

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
                self._keep(self.get(retune.bot_id), f"Tuning again failed: {error.message}",
                           Level.WARNING)  # fmt: skip
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
        with self._books.writing() as writing:
            self._change(writing, bot.id, next_at=next_due(retune.settings, now))
        study = self._studies.create(self._request(bot, retune.settings), ACTOR, retune_of=bot.id)
        with self._books.writing() as writing:
            if self._now(writing, bot.id).settings == retune.settings:
                writing.event(Level.INFO, "retune.started",
                              f"A study tunes it again: {study.name}.", bot.id)  # fmt: skip
                return self._change(writing, bot.id, study_id=study.id)
        self._cancel(study.id, ACTOR)  # somebody has set it anew meanwhile
        return self.get(bot.id)

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
                exits=_exits(config),
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
            return self._keep(retune, "Its study was deleted.", Level.WARNING)
        if study.is_active:
            return retune
        if study.state is StudyState.INTERRUPTED:
            self._studies.resume(study.id, ACTOR)
            return retune
        if study.state is not StudyState.DONE:
            words = f"Its study {study.state.value}. {study.error}".strip()
            return self._keep(retune, words, Level.WARNING)
        return self._decide(retune, study)

    def _decide(self, retune: Retune, study: Study) -> Retune:
        config = self._books.bots[retune.bot_id].config
        if _studied(study.request) != _traded(config):
            return self._keep(retune, CHANGED, Level.WARNING)
        found = contest(retune.settings, study.summary, config.params)
        wins: dict[str, Any] = {}
        if found.is_won:
            params = {**config.params, **study.summary.params}
            wins = {"params": params, "exits": study.summary.exits, "of": _traded(config)}
        numbers = {"challenger": found.challenger, "present": found.present, "study": study.id}
        kind = "retune.won" if found.is_won else "retune.kept"
        words = f"{found.words} {WAITS}" if wins else found.words
        return self._keep(retune, words, Level.INFO, kind=kind, data=numbers, wins=wins)

    def apply(self, bot_id: str) -> bool:
        """Give a bot what won, if it is flat; on its account's lane. Whether it was applied."""
        with self._books.store.reading() as tx:
            retune = tx.retunes.find(bot_id)
        if retune is None or not retune.wins:
            return False
        exits = {name: repr(value) for name, value in retune.wins.get("exits", {}).items()}
        try:
            now = _traded(self._books.get_bot(bot_id).config)
            if retune.wins.get("of", now) != now:
                self._keep(retune, CHANGED, Level.WARNING)
                return False
            self._bots.tune(bot_id, retune.wins["params"], exits, ACTOR)
        except Conflict:
            return False  # it holds something; tried again in a while
        except QuarterdeckError as error:
            words = f"The new parameters could not be applied: {error.message}"
            self._keep(retune, words, Level.WARNING)
            return False
        words = f"{retune.outcome.removesuffix(WAITS).rstrip()} Applied."
        self._keep(retune, words, Level.INFO, kind="retune.applied")
        return True

    def _keep(
        self,
        retune: Retune,
        words: str,
        level: Level,
        *,
        kind: str = "retune.failed",
        data: dict[str, Any] | None = None,
        wins: dict[str, Any] | None = None,
    ) -> Retune:
        """Write what became of its study, with an event; nothing where somebody has set it anew
        meanwhile."""
        with self._books.writing() as writing:
            now = self._now(writing, retune.bot_id)
            if (now.settings, now.study_id) != (retune.settings, retune.study_id):
                return now
            writing.event(level, kind, words, retune.bot_id, **(data or {}))
            return self._change(writing, retune.bot_id, outcome=words, study_id="", wins=wins or {})

    def _now(self, writing: Writing, bot_id: str) -> Retune:
        found = writing.tx.retunes.find(bot_id)
        return found or Retune(bot_id=bot_id, updated_at=self._books.clock.now())

    def _change(self, writing: Writing, bot_id: str, **changes: Any) -> Retune:
        """Change what is stored now, which may be another one than was read a while ago."""
        changes["updated_at"] = self._books.clock.now()
        changed = self._now(writing, bot_id).model_copy(update=changes)
        if writing.tx.retunes.find(bot_id) is None:
            writing.tx.retunes.add(changed)
        else:
            writing.tx.retunes.save(changed)
        return changed


def _traded(config: BotConfig) -> dict[str, Any]:
    """What a bot's parameters are for, and those it has, as JSON values."""
    return {
        "strategy": config.strategy, "market": config.market, "symbol": config.symbol,
        "timeframe": config.timeframe, "params": dict(config.params),
        "exits": _exits(config).model_dump(mode="json"),
    }  # fmt: skip


def _exits(config: BotConfig) -> ExitRules:
    return ExitRules(**{name: getattr(config, name) for name in ExitRules.model_fields})


def _studied(request: StudyRequest) -> dict[str, Any]:
    """The same of a study that was made for a bot, which is never one on files."""
    backtest, source = request.backtest, request.backtest.source
    if not isinstance(source, MarketSource):
        return {}
    return {
        "strategy": backtest.strategy, "market": source.market, "symbol": source.symbols[0],
        "timeframe": backtest.timeframe, "params": dict(request.baseline or {}),
        "exits": backtest.terms.exits.model_dump(mode="json"),
    }  # fmt: skip
