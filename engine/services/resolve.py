"""Resolving a finding: what a person decides about a difference is done, audited, checked again."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from engine.domain.accounts import (
    HOUSE,
    AccountLine,
    AccountState,
    Finding,
    FindingKind,
    FindingState,
    LineKind,
    Resolution,
)
from engine.domain.bots import Bot
from engine.domain.instruments import Instrument
from engine.domain.ledger import exit_side
from engine.domain.money import ZERO, floor_to, text, to_epoch_ms
from engine.domain.orders import (
    Order,
    OrderReport,
    OrderState,
    Purpose,
    Side,
    VenueFill,
)
from engine.domain.positions import Fill, Position, PositionSide
from engine.domain.reconcile import UNDER_WAY
from engine.domain.records import Level
from engine.errors import ConfigError, Conflict, NotFound
from engine.ports import MarketData, Prefix, Venues, has_steps
from engine.services.booking import Terms, assign_fill, book_house_fill
from engine.services.books import Books, Writing
from engine.services.findings import kind_of, line_of
from engine.services.follow_orders import is_anothers
from engine.services.house_orders import RECONCILED, house_order, resting_purpose
from engine.services.order_desk import OrderDesk
from engine.services.order_outcomes import MANUAL
from engine.services.places import routed_accounts

OUTCOMES = {
    Resolution.ADOPT: FindingState.ADOPTED,
    Resolution.IGNORE: FindingState.IGNORED,
    Resolution.CLOSE: FindingState.CLOSED,
}


class Check(Protocol):
    """``Reconciler.check``."""

    def __call__(self, account_id: str, market: MarketData, trigger: str) -> AccountState:
        """Compare both sides again."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person has decided, with what it is about."""

    finding: Finding
    resolution: Resolution
    actor: str
    bot: Bot | None
    market: MarketData


class Resolver:
    """Carries out decisions on the account's lane. What cannot be done changes nothing."""

    def __init__(self, books: Books, desk: OrderDesk, venues: Venues, check: Check) -> None:
        self._books = books
        self._desk = desk
        self._venues = venues
        self._check = check
        note = self._note
        self._ways: dict[tuple[FindingKind, Resolution], Callable[[Decision], None]] = {
            (FindingKind.BALANCE, Resolution.ADOPT): self._adopt_balance,
            (FindingKind.SHORTFALL, Resolution.ADOPT): self._adopt_shortfall,
            (FindingKind.FOREIGN_ORDER, Resolution.ADOPT): self._adopt_order,
            (FindingKind.FOREIGN_ORDER, Resolution.IGNORE): note,
            (FindingKind.FOREIGN_ORDER, Resolution.CLOSE): self._cancel_order,
            (FindingKind.FOREIGN_TRADE, Resolution.ADOPT): self._adopt_trade,
            (FindingKind.FOREIGN_TRADE, Resolution.IGNORE): note,
            (FindingKind.FOREIGN_TRADE, Resolution.CLOSE): self._undo_trade,
            (FindingKind.UNKNOWN_ORDER, Resolution.CLOSE): self._let_go,
            (FindingKind.LATE_FILL, Resolution.ADOPT): note,
            (FindingKind.LATE_FILL, Resolution.IGNORE): note,
            (FindingKind.UNREADABLE, Resolution.IGNORE): note,
        }

    @property
    def ways(self) -> Sequence[tuple[FindingKind, Resolution]]:
        """What can be decided about which kind."""
        return list(self._ways)

    def resolve(
        self, finding_id: str, resolution: Resolution, actor: str, bot_id: str | None
    ) -> Finding:
        """See ``Reconciler.resolve``."""
        finding = self._open_finding(finding_id)
        way = self._ways.get((finding.kind, resolution))
        if way is None:
            can = " or ".join(one.value for kind, one in self._ways if kind is finding.kind)
            kind = finding.kind.value.replace("_", " ")
            raise ConfigError(
                f"To {resolution.value} makes no sense for a finding of this kind ({kind}): {can}"
                " it.", field="resolution",
            )  # fmt: skip
        bot = self._books.get_bot(bot_id) if bot_id else None
        market = self._market(finding.account_id, bot)
        way(Decision(finding, resolution, actor, bot, market))
        self._check(finding.account_id, market, "resolved")
        with self._books.store.reading() as tx:
            return tx.findings.get(finding_id)

    def _open_finding(self, finding_id: str) -> Finding:
        finding = self._books.findings.get(finding_id)
        if finding is not None:
            return finding
        with self._books.store.reading() as tx:
            earlier = tx.findings.find(finding_id)
        if earlier is None:
            raise NotFound("There is no such finding.", field="finding_id")
        raise Conflict(f"The finding is {earlier.state.value} already.", field="finding_id")

    def _market(self, account_id: str, bot: Bot | None) -> MarketData:
        bots = [one for one in list(self._books.bots.values()) if one.account_id == account_id]
        if bot is not None and bot not in bots:
            raise ConfigError(f"The bot does not trade with {account_id}.", field="bot_id")
        if not bots and account_id in (routed := routed_accounts(self._books, self._venues)):
            return self._venues.market(routed[account_id][0])
        if not bots:
            raise Conflict(f"No bot trades with {account_id} any more.")
        chosen = bot or bots[0]
        market = self._venues.market(chosen.market, chosen.id)
        if has_steps(market) and chosen.decided_until is not None:
            market.seek(chosen.decided_until)
        return market

    # --- writing --------------------------------------------------------------------------------

    def _note(self, decision: Decision) -> None:
        """Nothing but the decision itself."""
        with self._books.writing() as writing:
            self._finish(writing, decision)

    def _finish(self, writing: Writing, decision: Decision, **detail: object) -> None:
        finding, state = decision.finding, OUTCOMES[decision.resolution]
        update = {
            "state": state, "resolved_by": decision.actor, "last_seen": self._books.clock.now(),
            "bot_id": decision.bot.id if decision.bot else finding.bot_id,
        }  # fmt: skip
        writing.put_finding(finding.model_copy(update=update))
        writing.event(
            Level.INFO, "reconcile.resolved",
            f"{finding.account_id}: {decision.actor} has {state.value}: {finding.detail}.",
            finding_id=finding.id,
        )  # fmt: skip
        writing.audit(decision.actor, f"finding.{decision.resolution.value}", finding.id,
                      bot_id=update["bot_id"], amount=text(finding.amount), **detail)  # fmt: skip

    # --- amounts --------------------------------------------------------------------------------

    def _adopt_balance(self, decision: Decision) -> None:
        """The venue is right: a line makes the books agree."""
        finding = decision.finding
        is_owned = self._held(finding.account_id, finding.subject, decision.market) != ZERO
        kind = LineKind.ADJUSTMENT if is_owned else kind_of(finding)
        with self._books.writing() as writing:
            writing.add_line(line_of(finding, self._books.clock.now(), kind, decision.actor))
            self._finish(writing, decision)

    def _adopt_shortfall(self, decision: Decision) -> None:
        """What is not there is taken off the bot's position at the last price; the cash that this
        exit would have brought is taken off again, since nobody received it."""
        finding = decision.finding
        bot = decision.bot or self._books.bots.get(finding.bot_id)
        if bot is None:
            raise ConfigError("Several bots own it: say whose position is smaller.", field="bot_id")
        position = self._books.positions.get(bot.id)
        instrument = decision.market.instrument(position.symbol) if position else None
        if position is None or instrument is None or instrument.base != finding.subject:
            raise ConfigError(f"The bot holds no {finding.subject}.", field="bot_id")
        if position.side is not PositionSide.LONG:
            raise ConfigError("The bot is short: nothing of it is missing.", field="bot_id")
        quantity = min(position.quantity, -finding.amount)
        price = decision.market.quote(position.symbol).last
        now = self._books.clock.now()
        key = f"reconciled-{_digest(finding.id)}-{to_epoch_ms(now)}"
        fill = VenueFill(trade_id=key, price=price, quantity=quantity,
                         fee_asset=instrument.quote, time=now)  # fmt: skip
        terms = Terms(instrument)
        with self._books.writing() as writing:
            order = house_order(finding.account_id, position.symbol, Side.SELL, quantity, now, key)
            booked = book_house_fill(writing, order, fill, terms)
            assign_fill(self._books, writing, bot, booked, terms, RECONCILED)
            for line in self._counter_lines(finding, quantity, price, instrument, now):
                writing.add_line(line)
            self._finish(writing, decision, quantity=text(quantity), price=text(price))

    def _counter_lines(
        self, finding: Finding, quantity: Decimal, price: Decimal, instrument: Instrument,
        now: datetime,
    ) -> list[AccountLine]:  # fmt: skip
        """What keeps the account's totals right beside an exit that no venue has seen: the books
        may have given up a part of the missing amount already."""
        books = self._books.totals.get(finding.account_id, {}).get(instrument.base, ZERO)
        missing = books - Decimal(finding.venue)
        amounts = {
            instrument.base: max(quantity - missing, ZERO),
            instrument.quote: -quantity * price,
        }
        return [
            AccountLine(
                id=f"{finding.id}:{asset}:{to_epoch_ms(now)}", account_id=finding.account_id,
                asset=asset, amount=amount, kind=LineKind.ADJUSTMENT, note=RECONCILED, time=now,
            )
            for asset, amount in amounts.items()
            if amount
        ]  # fmt: skip

    # --- orders ---------------------------------------------------------------------------------

    def _adopt_order(self, decision: Decision) -> None:
        """The order becomes the bot's, with what it has filled; the desk follows it now."""
        bot, order, report = self._adoptable(decision)
        position = self._books.positions.get(bot.id)
        instrument = decision.market.instrument(order.symbol)
        is_exit = position is not None and order.side is exit_side(position.side)
        if position is not None and is_exit:
            self._check_room(bot, position, report)
        elif order.side is Side.SELL and not instrument.can_short:
            raise ConfigError("The bot holds nothing that the order could sell.", field="bot_id")
        fills = self._house_fills(decision.finding.account_id, order.client_id)
        purpose = resting_purpose(order) if is_exit else Purpose.ENTRY
        with self._books.writing() as writing:
            for fill in fills:
                position = assign_fill(self._books, writing, bot, fill, Terms(instrument))
            writing.save_order(
                order, bot_id=bot.id, purpose=purpose, state=report.state, reason=MANUAL,
                quantity=report.quantity, venue_id=report.venue_id,
                filled=sum((fill.quantity for fill in fills), ZERO),
                position_id=position.id if position is not None and is_exit else None,
            )  # fmt: skip
            self._finish(writing, decision)
        self._desk.advance(bot.id, decision.market)

    def _adoptable(self, decision: Decision) -> tuple[Bot, Order, OrderReport]:
        bot = self._adopter(decision)
        with self._books.store.reading() as tx:
            order = tx.orders.find(decision.finding.subject)
        if order is None or order.state is not OrderState.EXTERNAL:
            raise Conflict("The order does not work at the venue any more.")
        broker = self._venues.broker(order.account_id, decision.market)
        report = broker.find_order(order.client_id, order.symbol)
        if report is None or report.state not in (OrderState.OPEN, OrderState.PARTLY_FILLED):
            raise Conflict("The order does not work at the venue any more.")
        return bot, order, report

    def _adopter(self, decision: Decision) -> Bot:
        bot, symbol = decision.bot, decision.finding.symbol
        if bot is None:
            raise ConfigError("Choose the bot that adopts it.", field="bot_id")
        if bot.symbol != symbol:
            raise ConfigError(f"The bot trades {bot.symbol}, not {symbol}.", field="bot_id")
        return bot

    def _check_room(self, bot: Bot, position: Position, report: OrderReport) -> None:
        """An exit must not promise more than the bot holds beside its other exits."""
        promised = sum(
            (one.left or ZERO for one in self._books.working_orders(bot.id)
             if one.is_reducing and one.reason == MANUAL), ZERO,
        )  # fmt: skip
        if report.quantity - report.filled > position.quantity - promised:
            raise ConfigError("The order is larger than what the bot holds.", field="bot_id")

    def _cancel_order(self, decision: Decision) -> None:
        finding = decision.finding
        broker = self._venues.broker(finding.account_id, decision.market)
        try:
            broker.cancel(finding.subject, finding.symbol)
        except NotFound as error:
            raise Conflict("The venue has no such order any more.") from error
        self._note(decision)

    def _let_go(self, decision: Decision) -> None:
        """The last look-up; only an order that the venue denies, or has another one under the id
        of, is let go."""
        finding = decision.finding
        with self._books.store.reading() as tx:
            order = tx.orders.get(finding.subject)
        broker = self._venues.broker(finding.account_id, decision.market)
        if order.state not in UNDER_WAY:
            raise Conflict(f"The order is {order.state.value} by now.")
        found = broker.find_order(order.client_id, order.symbol)
        if found is not None and not is_anothers(order, found):
            self._desk.advance(order.bot_id, decision.market)
            raise Conflict("The venue has the order after all; it is followed.")
        with self._books.writing() as writing:
            if order.state is OrderState.SENDING:
                order = writing.save_order(order, state=OrderState.UNKNOWN)
            writing.save_order(order, state=OrderState.EXPIRED, error=f"let go by {decision.actor}")
            self._finish(writing, decision)

    # --- trades ---------------------------------------------------------------------------------

    def _house_fills(self, account_id: str, client_id: str) -> Sequence[Fill]:
        with self._books.store.reading() as tx:
            return tx.fills.select(account_id=account_id, bot_id=HOUSE, client_id=client_id)

    def _adopt_trade(self, decision: Decision) -> None:
        """The trade becomes the bot's: it opens, adds to or reduces its position."""
        bot, finding = self._adopter(decision), decision.finding
        fills = self._house_fills(finding.account_id, finding.subject)
        if not fills:
            raise Conflict("The trade is somebody's already.")
        instrument = decision.market.instrument(finding.symbol)
        position = self._books.positions.get(bot.id)
        if position is None and fills[0].side is Side.SELL and not instrument.can_short:
            raise ConfigError("The bot holds nothing that was sold.", field="bot_id")
        try:
            with self._books.writing() as writing:
                for fill in fills:
                    assign_fill(self._books, writing, bot, fill, Terms(instrument))
                self._finish(writing, decision)
        except ValueError as error:
            raise ConfigError("More was traded than the bot holds.", field="bot_id") from error

    def _undo_trade(self, decision: Decision) -> None:
        """The opposite at the market, of nobody's and no more than is nobody's."""
        finding, market = decision.finding, decision.market
        instrument = market.instrument(finding.symbol)
        quantity = abs(finding.amount)
        side = Side.SELL if finding.amount > 0 else Side.BUY
        if side is Side.SELL:
            quantity = min(quantity, self._unassigned(finding.account_id, instrument.base, market))
        quantity = floor_to(max(quantity, ZERO), instrument.quantity_step)
        if not quantity:
            raise Conflict(f"No {instrument.base} of nobody's is left to sell.")
        stem = f"qd-close-{_digest(finding.id)}-"
        now = market.now()
        with self._books.writing() as writing:
            number = writing.tx.orders.count(client_id=Prefix(stem))
            self._desk.plan(
                writing, client_id=f"{stem}{number}", bot_id=HOUSE, account_id=finding.account_id,
                symbol=finding.symbol, side=side, quantity=quantity,
                # To buy back what was sold makes nothing smaller: limits and controls hold.
                purpose=Purpose.EXIT if side is Side.SELL else Purpose.ENTRY,
                reason=MANUAL, decided_at=now,
            )  # fmt: skip
            self._finish(writing, decision, quantity=text(quantity))
        self._desk.advance_account(finding.account_id, market)

    def _unassigned(self, account_id: str, asset: str, market: MarketData) -> Decimal:
        """What the account has of an asset beside what bots own."""
        total = self._books.totals.get(account_id, {}).get(asset, ZERO)
        return total - self._held(account_id, asset, market)

    def _held(self, account_id: str, asset: str, market: MarketData) -> Decimal:
        """What bots own of an asset."""
        return sum(
            (one.quantity for one in list(self._books.positions.values())
             if one.account_id == account_id and one.side is PositionSide.LONG
             and _base_of(one.symbol, market) == asset), ZERO,
        )  # fmt: skip


def _base_of(symbol: str, market: MarketData) -> str:
    try:
        return market.instrument(symbol).base
    except NotFound:  # not listed any more; it must not be in the way of others
        return symbol.partition("/")[0]


def _digest(words: str) -> str:
    """A short name for a finding, the same every time."""
    return hashlib.sha256(words.encode()).hexdigest()[:12]
