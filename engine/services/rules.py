"""Rule sets: kept as strategies, tried on past candles, removed when no bot uses them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.candles import Candles
from engine.domain.rule_preview import Turn, turns_of
from engine.domain.rule_strategy import RuleStrategy, strategy_of
from engine.domain.rules import RuleSet
from engine.domain.strategy import Signals
from engine.errors import ConfigError, Conflict, StrategyError
from engine.ports import RuleBook, Venues
from engine.services.books import Books
from engine.services.supervise import is_active

PREVIEW = "rules-preview"
RESERVED = frozenset({"catalogue", "preview"})
"""Words of the API's addresses."""
MOST_HISTORY = 200_000
MOST_EXTRA = 3_000
"""Candles fetched before those shown; what remembers longer is a little off in a preview."""


@dataclass(frozen=True, slots=True)
class KeptRules:
    """A rule set of the folder, and the bots that use it."""

    id: str
    rules: RuleSet
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BrokenRules:
    """A file of the folder that cannot be used, and why."""

    id: str
    error: str
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """Rules on candles; ``turns`` and counts begin at the candle ``first``."""

    strategy: RuleStrategy
    candles: Candles
    signals: Signals
    first: int
    turns: tuple[Turn, ...]


class RuleService:
    """Commands on rule sets: checked in full, written with an audit entry."""

    def __init__(self, books: Books, book: RuleBook, venues: Venues) -> None:
        self._books = books
        self._book = book
        self._venues = venues

    def all(self) -> Sequence[KeptRules | BrokenRules]:
        """Every rule set, broken ones with their error."""
        kept: list[KeptRules | BrokenRules] = []
        for rules_id in self._book.ids():
            try:
                kept.append(self.get(rules_id))
            except StrategyError as error:
                kept.append(BrokenRules(rules_id, error.message, self._users(rules_id)))
        return kept

    def get(self, rules_id: str) -> KeptRules:
        """Raises NotFound, or StrategyError when the file is broken."""
        return KeptRules(rules_id, self._book.read(rules_id), self._users(rules_id))

    def save(self, rules_id: str, rules: RuleSet, actor: str, *, is_new: bool) -> KeptRules:
        """Keep rules under a name. Raises ConfigError (with the field), StoreError, or Conflict:
        the name is taken, or a bot that runs decides by them."""
        if rules_id in RESERVED:
            raise ConfigError(f"'{rules_id}' cannot be a name: choose another one.", field="id")
        active = [bot.config.name for bot in list(self._books.bots.values())
                  if bot.config.strategy == rules_id and is_active(bot)]  # fmt: skip
        if active and not is_new:
            raise Conflict(
                f"{_listed(active)} decides by these rules: stop it first, or save under another"
                " name.",
                field="id",
            )
        make_strategy(rules_id, rules)
        with self._books.writing() as writing:
            self._book.write(rules_id, rules, is_new=is_new)
            writing.audit(actor, "rules.save", rules_id, title=rules.title)
        return self.get(rules_id)

    def delete(self, rules_id: str, actor: str) -> None:
        """Raises NotFound, or Conflict while a bot uses them."""
        users = self._users(rules_id)
        if users:
            raise Conflict(f"{_listed(users)} uses these rules: delete or change it first.")
        with self._books.writing() as writing:
            self._book.delete(rules_id)
            writing.audit(actor, "rules.delete", rules_id)

    def try_out(
        self, rules: RuleSet, market_id: str, symbol: str, timeframe: str, count: int
    ) -> Trial:
        """Rules on the newest ``count`` closed candles of a market; nothing is kept.

        Raises ConfigError (with the field), NotFound, DataError.
        """
        strategy = make_strategy("preview", rules)
        key = f"{PREVIEW}-{secrets.token_hex(4)}"
        try:
            market = self._venues.market(market_id, key)
            if timeframe not in market.timeframes():
                offered = ", ".join(market.timeframes())
                raise ConfigError(f"This market has candles of {offered}.", field="timeframe")
            extra = min(strategy.history, MOST_EXTRA)
            candles = market.candles(symbol, timeframe, limit=count + extra)
        finally:
            self._venues.forget(key)
        signals = strategy.signals(candles)
        first = max(0, len(candles) - count)
        return Trial(strategy, candles, signals, first, tuple(turns_of(signals, first)))

    def _users(self, rules_id: str) -> tuple[str, ...]:
        bots = list(self._books.bots.values())
        return tuple(sorted(bot.config.name for bot in bots if bot.config.strategy == rules_id))


def make_strategy(rules_id: str, rules: RuleSet) -> RuleStrategy:
    """The strategy with its parameters' defaults. Raises ConfigError when there can be none."""
    strategy = strategy_of(rules_id, rules)()
    if strategy.history > MOST_HISTORY:
        raise ConfigError(
            f"These rules look back {strategy.history:,} candles; at most {MOST_HISTORY:,} can be"
            " looked at.",
            field="long_entry",
        )
    return strategy


def _listed(names: Sequence[str]) -> str:
    more = f" (and {len(names) - 3} more)" if len(names) > 3 else ""
    return f"The bot {', '.join(names[:3])}{more}"
