"""Rules for the API: the catalogue, what is kept, and trials drawn on a chart."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

from engine.contracts import Chart, Marker, SeriesView
from engine.contracts.rules import (
    ComparisonView,
    RuleCatalogue,
    RuleSet,
    RulesRow,
    RulesView,
    RuleTrial,
    RuleTrialRequest,
    SlotView,
    SourceView,
)
from engine.domain.candles import FloatArray
from engine.domain.catalogue import SOURCES
from engine.domain.comparisons import COMPARISONS
from engine.domain.money import exact, from_epoch_ms
from engine.domain.rule_preview import Turn
from engine.domain.rule_words import sentences
from engine.domain.rules import GROUPS
from engine.services.rules import KeptRules, RuleService, Trial


class RuleServices(Protocol):
    """What can be done with rules that make a strategy without code."""

    def catalogue(self) -> RuleCatalogue:
        """What rules can be made of."""
        ...

    def rows(self) -> Sequence[RulesRow]:
        """Every rule set, broken ones with their error."""
        ...

    def get(self, rules_id: str) -> RulesView:
        """Raises NotFound, or StrategyError when the file is broken."""
        ...

    def save(self, rules_id: str, rules: RuleSet, actor: str, *, is_new: bool) -> RulesView:
        """Raises ConfigError naming the field; Conflict when the name is taken or a bot that runs
        decides by these rules."""
        ...

    def delete(self, rules_id: str, actor: str) -> None:
        """Raises NotFound, or Conflict while a bot uses them."""
        ...

    def try_out(self, request: RuleTrialRequest) -> RuleTrial:
        """Raises ConfigError naming the field, NotFound, DataError."""
        ...


class RuleDesk:
    """Implements ``RuleServices`` over the rules' service."""

    def __init__(self, rules: RuleService) -> None:
        self._rules = rules

    def catalogue(self) -> RuleCatalogue:
        """What rules can be made of."""
        return catalogue_view()

    def rows(self) -> Sequence[RulesRow]:
        """Every rule set, sorted by id."""
        return [
            RulesRow(id=one.id, title=one.rules.title, used_by=one.used_by)
            if isinstance(one, KeptRules)
            else RulesRow(id=one.id, title=one.id, error=one.error, used_by=one.used_by)
            for one in self._rules.all()
        ]

    def get(self, rules_id: str) -> RulesView:
        """One rule set with its sentences."""
        return _view(self._rules.get(rules_id))

    def save(self, rules_id: str, rules: RuleSet, actor: str, *, is_new: bool) -> RulesView:
        """Keep rules; as they are kept then."""
        return _view(self._rules.save(rules_id, rules, actor, is_new=is_new))

    def delete(self, rules_id: str, actor: str) -> None:
        """Remove rules that no bot uses."""
        self._rules.delete(rules_id, actor)

    def try_out(self, request: RuleTrialRequest) -> RuleTrial:
        """Rules on past candles; nothing is kept."""
        trial = self._rules.try_out(
            request.rules, request.market, request.symbol, request.timeframe, request.limit
        )
        return trial_view(trial, request.symbol)


def catalogue_view() -> RuleCatalogue:
    """The tables of the domain as the form needs them."""
    return RuleCatalogue(
        sources=tuple(
            SourceView(
                id=one.id, title=one.title, outputs=one.outputs, help=one.help,
                slots=tuple(
                    SlotView(name=slot.name, title=slot.title, default=slot.default,
                             least=slot.least, most=slot.most, is_whole=slot.is_whole)
                    for slot in one.slots
                ),
            )
            for one in SOURCES.values()
        ),
        comparisons=tuple(
            ComparisonView(id=one.id, title=one.title, needs=one.needs)
            for one in COMPARISONS.values()
        ),
    )  # fmt: skip


def trial_view(trial: Trial, symbol: str) -> RuleTrial:
    """A trial with its chart: the candles that were asked for, the rules' lines, the turns."""
    signals, first, shown = trial.signals, trial.first, trial.candles[slice(trial.first, None)]
    said = {
        "long_entry": signals.enter_long, "long_exit": signals.exit_long,
        "short_entry": signals.enter_short, "short_exit": signals.exit_short,
    }  # fmt: skip
    prices: dict[str, Any] = {
        name: tuple(getattr(shown, name).tolist())
        for name in ("open", "high", "low", "close", "volume")
    }
    chart = Chart(
        symbol=symbol,
        timeframe=shown.timeframe,
        time=tuple(from_epoch_ms(int(opened)) for opened in shown.time),
        **prices,
        series=tuple(
            SeriesView(name=name, values=_known(plot.values[first:]), is_overlay=plot.is_overlay,
                       levels=plot.levels)
            for name, plot in signals.plots.items()
        ),
        markers=tuple(_marker(trial, turn) for turn in trial.turns),
    )  # fmt: skip
    entries = sum(turn.is_entry for turn in trial.turns)
    return RuleTrial(
        sentences=sentences(trial.strategy.rules),
        warmup=trial.strategy.warmup,
        history=trial.strategy.history,
        said={name: int(said[name][first:].sum()) for name in GROUPS},
        entries=entries,
        exits=len(trial.turns) - entries,
        chart=chart,
    )


def _marker(trial: Trial, turn: Turn) -> Marker:
    candles = trial.candles
    return Marker(
        time=from_epoch_ms(int(candles.time[turn.index])),
        price=exact(candles.close[turn.index]),
        kind="entry" if turn.is_entry else "exit",
        side=turn.side,
        text=trial.signals.reason(turn.index),
    )


def _view(kept: KeptRules) -> RulesView:
    return RulesView(
        id=kept.id, rules=kept.rules, sentences=sentences(kept.rules), used_by=kept.used_by
    )


def _known(values: FloatArray) -> tuple[float | None, ...]:
    return tuple(value if math.isfinite(value) else None for value in values.tolist())
