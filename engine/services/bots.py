"""What a user does with bots: create, edit, clone, start, pause, stop, delete."""

import secrets
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from engine.domain.bots import Bot, BotConfig, BotState, Desired, Direction
from engine.domain.exits import fixed_levels
from engine.domain.instruments import Instrument
from engine.domain.money import ZERO
from engine.domain.records import Level, StrategyConfiguration
from engine.domain.routing import match_instrument
from engine.domain.sizing import affordable_quantity
from engine.domain.venue_accounts import Mode, mode_of
from engine.errors import ConfigError, Conflict
from engine.ports import MarketData, StrategyHost, Venues
from engine.services.assessments import Assessment, assessment_of
from engine.services.books import Books, Writing, new_id
from engine.services.supervise import is_active


class BotService:
    """Commands on bots: checked in full, written with an audit entry, left to the supervisor."""

    def __init__(
        self,
        books: Books,
        venues: Venues,
        host: StrategyHost,
        wake: Callable[[], None],
        model_objection: Callable[[], str] = lambda: "",
    ) -> None:
        """``model_objection``: why no model can be asked now, empty where one can."""
        self._books = books
        self._venues = venues
        self._host = host
        self._wake = wake
        self._model_objection = model_objection

    def assess(self, config: BotConfig, bot_id: str | None = None) -> Assessment:
        """Check a configuration against its market, strategy and account; save nothing.

        Raises ConfigError (with the field), Conflict, NotFound, DataError, StrategyError.
        """
        namesake = self._books.find_by_name(config.name)
        if namesake is not None and namesake.id != bot_id:
            raise Conflict(f"There is a bot named '{namesake.config.name}' already.", field="name")
        key = bot_id or f"preview-{secrets.token_hex(4)}"
        try:
            market = self._venues.market(config.market, key)
            return self._assess_on(market, config, key)
        finally:
            if bot_id is None:
                self._venues.forget(key)

    def _assess_on(self, market: MarketData, config: BotConfig, key: str) -> Assessment:
        instrument = market.instrument(config.symbol)
        if config.timeframe not in market.timeframes():
            offered = ", ".join(market.timeframes())
            raise ConfigError(f"This market has candles of {offered}.", field="timeframe")
        params = self._host.validate(config.strategy, config.params)
        config = config.model_copy(update={"params": params, "symbol": instrument.symbol})
        account_id = self._venues.account_of(config.market, key)
        broker = self._venues.broker(account_id, market)
        can_short = instrument.can_short and broker.capabilities.has_shorting
        if config.direction is not Direction.LONG and not can_short:
            raise ConfigError(
                f"{instrument.symbol} cannot be sold short on this market; choose long only.",
                field="direction",
            )
        if config.signals is not None and self._venues.is_stepped(config.market):
            raise ConfigError(
                "A replay takes no signals: its time is another. Turn signals off.", field="signals"
            )
        self._check_routing(config, instrument, account_id, key)
        if config.ai is not None and self._venues.is_stepped(config.market):
            raise ConfigError(
                "Replays ask no model: take it away, or choose a market whose time goes by itself.",
                field="ai",
            )
        balance = broker.balances().get(instrument.quote)
        free = balance.free if balance else ZERO
        price = market.quote(instrument.symbol).last
        fee_bps = broker.capabilities.fee_bps
        quantity = affordable_quantity(config.amount, price, fee_bps, instrument)
        _check_amount(
            config.amount, quantity, price, instrument, balance.total if balance else ZERO
        )
        made = assessment_of(config, instrument, price, quantity, fee_bps, free)
        objection = self._books.account_objection(account_id) or ""
        is_closed = account_id not in self._books.unchecked and bool(objection)
        warnings: tuple[str, ...] = (f"No entries for now: {objection}.",) if is_closed else ()
        if config.ai is not None and (words := self._model_objection()):
            warnings += (f"Nothing is opened until a model can be asked. {words}",)
        return made.model_copy(
            update={"mode": mode_of(account_id), "warnings": (*warnings, *made.warnings)}
        )

    def _check_routing(
        self, config: BotConfig, instrument: Instrument, account_id: str, key: str
    ) -> None:
        """Raises ConfigError for a market that entries cannot be routed to."""
        if config.routing is None:
            return
        markets = config.routing.markets
        if len({config.market, *markets}) <= len(markets):
            raise ConfigError("Name each other market once, and not the bot's own.",
                              field="routing.markets")  # fmt: skip
        for market_id in (config.market, *markets):
            if self._venues.is_stepped(market_id):
                raise ConfigError("Replays cannot be routed.", field="routing.markets")
            other = self._venues.account_of(market_id, key)
            if other.partition(":")[0] != account_id.partition(":")[0]:
                raise ConfigError(
                    f"{other} moves another kind of money than {account_id}.",
                    field="routing.markets",
                )
            listed = self._venues.market(market_id).instruments()
            if match_instrument(instrument, listed) is None:
                raise ConfigError(
                    f"{market_id} does not list {instrument.base} in {instrument.quote}.",
                    field="routing.markets",
                )

    def create(self, config: BotConfig, actor: str, confirm_name: str = "") -> Bot:
        """A new, stopped bot. ``confirm_name``: its name once more, where it is to trade real
        money. Raises like ``assess``, and Conflict or ConfigError without the right one."""
        confirmed = self._confirmed(config, confirm_name)
        assessment = self.assess(config)
        config = assessment.config
        bot_id, now = secrets.token_hex(4), self._books.clock.now()
        account_id = self._venues.account_of(config.market, bot_id)
        bot = Bot(id=bot_id, config=config, account_id=account_id, created_at=now, updated_at=now)
        with self._books.writing() as writing:
            writing.add_bot(bot)
            self._keep(writing, bot, assessment.instrument, version=1)
            writing.event(Level.INFO, "bot.created", "The bot was created.", bot_id)
            writing.audit(actor, "bot.create", bot_id, name=config.name, **confirmed)
        return bot

    def edit(self, key: str, config: BotConfig, actor: str, confirm_name: str = "") -> Bot:
        """Change a bot that does nothing; ``confirm_name`` as in ``create``, where it is moved to
        an account with real money. Raises Conflict while active, and like ``create``."""
        bot = self._books.get_bot(key)
        _require_at_rest(bot, "change")
        is_moved = _place(config) != _place(bot.config)
        if is_moved and bot.id in self._books.positions:
            raise Conflict("The bot holds a position: its market and symbol cannot change.",
                           field="symbol")  # fmt: skip
        if is_moved and bot.started_at is not None and self._venues.is_stepped(config.market):
            # Its candles may be of a time that this bot has decided: none is decided twice.
            raise Conflict("A bot that has run cannot be moved to a replay: clone it.",
                           field="market")  # fmt: skip
        is_other = self._venues.account_of(config.market, bot.id) != bot.account_id
        confirmed = self._confirmed(config, confirm_name) if is_other else {}
        self._venues.forget(bot.id)
        assessment = self.assess(config, bot.id)
        with self._books.writing() as writing:
            _require_at_rest(writing.bot(bot.id), "change")  # it may have been started meanwhile
            changes: dict[str, Any] = {"config": assessment.config, "reason": "",
                                       "strategy_errors": 0}  # fmt: skip
            is_busy = bot.id in self._books.positions or self._books.working_orders(bot.id)
            if is_moved or (bot.place is not None and not is_busy):  # routing begins at home
                changes["account_id"] = self._venues.account_of(config.market, bot.id)
                changes["place"] = None
            if is_moved:
                changes["decided_until"] = None
            if bot.state is BotState.FAULTED:
                changes["state"] = BotState.STOPPED
            changed = writing.save_bot(bot.id, **changes)
            self._move_levels(writing, changed, assessment.instrument)
            version = writing.tx.configurations.count(bot_id=bot.id) + 1
            self._keep(writing, changed, assessment.instrument, version)
            writing.event(Level.INFO, "bot.edited", f"Its settings are version {version}.", bot.id)
            writing.audit(actor, "bot.edit", bot.id, version=version, **confirmed)
        return changed

    def tune(self, key: str, params: dict[str, Any], exits: Mapping[str, Any], actor: str) -> Bot:
        """Other parameters for a bot that may be running; on its account's lane, where nothing
        else trades for it meanwhile.

        Only while it holds nothing and no order of it works, so that no position is ended by other
        rules than it was begun by. Raises Conflict otherwise, and like ``StrategyHost.validate``.
        """
        bot = self._books.get_bot(key)
        checked = self._host.validate(bot.config.strategy, params)
        settings = {**bot.config.model_dump(), **exits, "params": checked}
        config = BotConfig.model_validate(settings)
        with self._books.writing() as writing:
            if bot.id in self._books.positions or self._books.working_orders(bot.id):
                raise Conflict("The bot holds a position or has an order working.")
            if writing.bot(bot.id).config != bot.config:
                raise Conflict("The bot's settings were changed meanwhile.")
            changed = writing.save_bot(bot.id, config=config)
            version = writing.tx.configurations.count(bot_id=bot.id) + 1
            writing.tx.configurations.add(self._version_of(changed, version))
            writing.event(Level.INFO, "bot.tuned", f"Its settings are version {version}.", bot.id)
            writing.audit(actor, "bot.tune", bot.id, version=version, params=checked)
        return changed

    def _move_levels(self, writing: Writing, bot: Bot, instrument: Instrument) -> None:
        """A position that was kept follows the new stop and target."""
        position = self._books.positions.get(bot.id)
        if position is not None:
            stop, target = fixed_levels(
                bot.config, position.side, position.average_price, instrument
            )
            levels = {"stop_price": stop, "target_price": target}
            writing.put_position(position.model_copy(update=levels))

    def clone(self, key: str, name: str, actor: str, confirm_name: str = "") -> Bot:
        """A new bot with the same settings under another name. Raises like ``create``."""
        original = self._books.get_bot(key)
        settings = {**original.config.model_dump(), "name": name}
        return self.create(BotConfig.model_validate(settings), actor, confirm_name)

    def start(self, key: str, actor: str, confirm_name: str = "") -> Bot:
        """Want it running; a faulted bot gets a fresh start. ``confirm_name`` as in ``create``,
        unless it goes on after a pause. Raises Conflict or ConfigError without the right one."""
        bot = self._books.get_bot(key)
        is_at_rest = not is_active(bot)
        confirmed = self._confirmed(bot.config, confirm_name) if is_at_rest else {}
        return self._want(key, Desired.RUNNING, actor, confirmed)

    def pause(self, key: str, actor: str) -> Bot:
        """Want no new entries; exits go on."""
        return self._want(key, Desired.PAUSED, actor)

    def stop(self, key: str, actor: str, *, close_position: bool) -> Bot:
        """Want it stopped, keeping its position or closing it first."""
        return self._want(key, Desired.STOPPED, actor, close_on_stop=close_position)

    def _confirmed(self, config: BotConfig, confirm_name: str) -> dict[str, str]:
        """What the audit keeps of a confirmation; nothing where no real money is traded."""
        account_id = self._venues.account_of(config.market, "")
        if mode_of(account_id) != Mode.LIVE:
            return {}
        require_name(config.name, confirm_name)
        return {"confirmed_for": account_id}

    def _want(
        self,
        key: str,
        desired: Desired,
        actor: str,
        detail: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> Bot:
        bot_id = self._books.get_bot(key).id
        changes.setdefault("close_on_stop", False)
        with self._books.writing() as writing:
            bot = writing.bot(bot_id)
            is_at_rest = bot.state in (BotState.STOPPED, BotState.FAULTED)
            if is_at_rest and desired is not Desired.STOPPED:
                changes |= {"state": BotState.STARTING, "reason": "", "strategy_errors": 0}
            elif bot.state is BotState.FAULTED or (
                # A stopped bot has nothing to do but to close what it kept.
                is_at_rest and changes["close_on_stop"] and bot_id in self._books.positions
            ):
                changes["state"] = BotState.STOPPING
            bot = writing.save_bot(bot_id, desired=desired, **changes)
            writing.audit(actor, f"bot.{desired.value}", bot_id, **(detail or {}))
        self._wake()
        return bot

    def delete(self, key: str, actor: str) -> None:
        """Remove a bot that does nothing; its trades stay. Raises Conflict, NotFound."""
        bot = self._books.get_bot(key)
        with self._books.writing() as writing:
            _require_at_rest(writing.bot(bot.id), "delete")
            if bot.id in self._books.positions:
                raise Conflict("The bot holds a position: stop it with 'close' first.")
            if self._books.working_orders(bot.id):
                raise Conflict("An order of the bot is still working; try again when it is done.")
            writing.delete_bot(bot.id)
            writing.event(Level.INFO, "bot.deleted", f"Bot '{bot.config.name}' was deleted.")
            writing.audit(actor, "bot.delete", bot.id, name=bot.config.name)
        self._venues.forget(bot.id)

    def _keep(self, writing: Writing, bot: Bot, instrument: Instrument, version: int) -> None:
        """Keep this version of the settings, and the instrument's rules they were checked by."""
        writing.tx.configurations.add(self._version_of(bot, version))
        writing.tx.put_instrument(bot.config.market, instrument)

    def _version_of(self, bot: Bot, version: int) -> StrategyConfiguration:
        config = bot.config
        return StrategyConfiguration(
            id=new_id(), bot_id=bot.id, version=version, strategy=config.strategy,
            params=config.params, settings=config.model_dump(mode="json"),
            created_at=self._books.clock.now(),
        )  # fmt: skip


def _place(config: BotConfig) -> tuple[str, str]:
    """Where a bot trades; a replay is the same at any speed."""
    return config.market.partition("?")[0], config.symbol


def require_name(name: str, typed: str) -> None:
    """A bot that trades real money is confirmed by its name. Raises Conflict without one,
    ConfigError for another."""
    if not typed:
        raise Conflict(
            f"'{name}' would trade real money: type its name to confirm.", field="confirm_name"
        )
    if typed.strip() != name:
        raise ConfigError(
            f"That is not the bot's name: type '{name}', as it is written.", field="confirm_name"
        )


def _require_at_rest(bot: Bot, verb: str) -> None:
    if is_active(bot):
        raise Conflict(f"Stop the bot before you {verb} it.")


def _check_amount(
    amount: Decimal, quantity: Decimal, price: Decimal, instrument: Instrument, owned: Decimal
) -> None:
    quote = instrument.quote
    least = max(instrument.min_notional, instrument.min_quantity * price)
    if amount < least or quantity * price < instrument.min_notional or quantity <= 0:
        raise ConfigError(
            f"The trade amount must be at least {_shown(least)} {quote} on this market"
            " (fees included).",
            field="amount",
        )
    if amount > owned:
        raise ConfigError(
            f"The account holds {_shown(owned)} {quote}; the trade amount is more than that.",
            field="amount",
        )


def _shown(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('1e-8')).normalize():f}"
