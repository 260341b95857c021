"""The engine's books: what is hot kept in memory, everything written durably first.

The engine is the database's only writer, so the mirror is exact: it changes only after the commit
that says the same, under one lock.
"""

import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine.domain.accounts import (
    HOUSE,
    AccountHealth,
    AccountLine,
    AccountState,
    Finding,
    FindingState,
    fill_effect,
)
from engine.domain.alert_kinds import alert_kind, title_of
from engine.domain.alerts import Alert
from engine.domain.bots import Bot
from engine.domain.decisions import Decision
from engine.domain.money import ZERO
from engine.domain.orders import TERMINAL, Order, OrderState, may_become
from engine.domain.positions import Fill, Position
from engine.domain.records import AuditEntry, Event, Level, entry_digest
from engine.domain.venue_accounts import VenueAccount
from engine.errors import NotFound
from engine.ports import Clock, Store, Transaction

log = logging.getLogger("quarterdeck")

LOG_LEVELS = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


LASTING_REASONS = ("Sleeps until ", "The entry ", "The exit ")
"""Shown until the bot wakes up, or an order of it is filled; a decided candle alone ends no other
kind of trouble."""

FILL_EFFECT = ("side", "base", "quote", "price", "quantity", "fee", "fee_asset")
"""The columns of a fill that ``fill_effect`` takes, in its order."""


def new_id() -> str:
    """A random id for records that have no natural key."""
    return uuid.uuid4().hex


class Writing:
    """One transaction on the books; the mirror follows when it has been committed."""

    def __init__(
        self, tx: Transaction, clock: Clock, current: Mapping[str, Bot], previous_digest: str
    ) -> None:
        self.tx = tx
        self._current = current
        self._clock = clock
        self.digest = previous_digest
        self.bots: dict[str, Bot | None] = {}
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.decisions: list[Decision] = []
        self.lines: list[AccountLine] = []
        self.accounts: dict[str, AccountState] = {}
        self.findings: dict[str, Finding] = {}
        self.venue_accounts: dict[str, VenueAccount | None] = {}
        self.written_events: list[Event] = []
        self.alerts: list[Alert] = []

    def add_bot(self, bot: Bot) -> None:
        """Insert. Raises Conflict when the name is taken."""
        self.tx.bots.add(bot)
        self.bots[bot.id] = bot

    def bot(self, bot_id: str) -> Bot:
        """The bot as this transaction sees it. Raises NotFound when it was deleted."""
        bot = self.bots.get(bot_id) or self._current.get(bot_id)
        if bot is None:
            raise NotFound(f"There is no bot '{bot_id}'.", field="bot")
        return bot

    def save_bot(self, bot_id: str, **changes: Any) -> Bot:
        """Apply ``changes`` to the newest state of a bot, so that no writer undoes another's."""
        update = {**changes, "updated_at": self._clock.now()}
        changed = self.bot(bot_id).model_copy(update=update)
        self.tx.bots.save(changed)
        self.bots[bot_id] = changed
        return changed

    def mark_decided(self, bot_id: str, until: datetime) -> Bot:
        """Remember that everything up to ``until`` is decided, and that it went well."""
        reason = self.bot(bot_id).reason
        kept = reason if reason.startswith(LASTING_REASONS) else ""
        return self.save_bot(bot_id, decided_until=until, strategy_errors=0, reason=kept)

    def delete_bot(self, bot_id: str) -> None:
        """Remove a bot. Raises NotFound."""
        self.tx.bots.delete(bot_id)
        self.bots[bot_id] = None

    def add_order(self, order: Order) -> None:
        """Insert an intent. Raises Conflict when the client id was used before."""
        self.tx.orders.add(order)
        self.orders[order.client_id] = order

    def save_order(self, order: Order, **changes: Any) -> Order:
        """Replace, with ``changes`` applied; the saved order is returned.

        Raises ValueError for a step that the table of transitions does not have.
        """
        state = changes.get("state", order.state)
        if not may_become(order.state, state):
            raise ValueError(f"{order.client_id} cannot become {state} from {order.state}")
        changed = order.model_copy(update={**changes, "updated_at": self._clock.now()})
        self.tx.orders.save(changed)
        self.orders[order.client_id] = changed
        return changed

    def put_position(self, position: Position, *, is_new: bool = False) -> None:
        """Insert or replace."""
        if is_new:
            self.tx.positions.add(position)
        else:
            self.tx.positions.save(position)
        self.positions[position.bot_id] = position

    def add_fill(self, fill: Fill) -> None:
        """Insert. Raises Conflict when it is in the books already."""
        self.tx.fills.add(fill)
        self.fills.append(fill)

    def add_decision(self, decision: Decision) -> None:
        """Insert. Raises Conflict when its candle is decided already."""
        self.tx.decisions.add(decision)
        self.decisions.append(decision)

    def add_line(self, line: AccountLine) -> None:
        """Insert. Raises Conflict when it is in the books already."""
        self.tx.lines.add(line)
        self.lines.append(line)

    def put_account(self, account: AccountState) -> None:
        """Insert or replace."""
        if self.tx.accounts.find(account.account_id) is None:
            self.tx.accounts.add(account)
        else:
            self.tx.accounts.save(account)
        self.accounts[account.account_id] = account

    def put_finding(self, finding: Finding) -> None:
        """Insert or replace."""
        if self.tx.findings.find(finding.id) is None:
            self.tx.findings.add(finding)
        else:
            self.tx.findings.save(finding)
        self.findings[finding.id] = finding

    def put_venue_account(self, account: VenueAccount, *, is_new: bool = False) -> None:
        """Insert or replace. Raises Conflict when the name is taken."""
        if is_new:
            self.tx.venue_accounts.add(account)
        else:
            self.tx.venue_accounts.save(account)
        self.venue_accounts[account.id] = account

    def delete_venue_account(self, account_id: str) -> None:
        """Remove an account with its secrets. Raises NotFound."""
        for secret in self.tx.secrets.select(account_id=account_id):
            self.tx.secrets.delete(secret.id)
        self.tx.venue_accounts.delete(account_id)
        self.venue_accounts[account_id] = None

    def event(
        self,
        level: Level,
        kind: str,
        message: str,
        bot_id: str | None = None,
        *,
        event_id: str = "",
        **data: Any,
    ) -> None:
        """Record something that happened; it is logged once it is committed, and told to people
        where it is an alert. Raises Conflict for an ``event_id`` that was recorded before."""
        event = Event(id=event_id or new_id(), time=self._clock.now(), level=level, kind=kind,
                      message=message, bot_id=bot_id, data=data)  # fmt: skip
        self.tx.events.add(event)
        self.written_events.append(event)
        told_as = alert_kind(event)
        if told_as is not None:
            bot = self.bots.get(bot_id or "") or self._current.get(bot_id or "")
            alert = Alert.of(event, told_as, title_of(told_as, bot.config.name if bot else ""))
            self.tx.alerts.add(alert)
            self.alerts.append(alert)

    def audit(self, actor: str, action: str, subject: str, **detail: Any) -> None:
        """Record who did what, chained to the entry before."""
        entry = AuditEntry(id=new_id(), time=self._clock.now(), actor=actor, action=action,
                           subject=subject, detail=detail, previous_digest=self.digest)  # fmt: skip
        self.digest = entry_digest(entry)
        self.tx.audit.add(entry.model_copy(update={"digest": self.digest}))


class Books:
    """Bots, open positions, working orders and accounts in memory; all of it in the store.

    ``totals`` is what each account must hold of each asset: the exact sum of its lines and fills.
    ``unchecked`` are accounts that were not reconciled since the engine has started,
    ``venue_accounts`` those that a person has added.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.bots: dict[str, Bot] = {}
        self.positions: dict[str, Position] = {}
        self.working: dict[str, dict[str, Order]] = {}
        self.accounts: dict[str, AccountState] = {}
        self.findings: dict[str, Finding] = {}
        self.totals: dict[str, dict[str, Decimal]] = {}
        self.unchecked: set[str] = set()
        self.venue_accounts: dict[str, VenueAccount] = {}
        self._digest = ""
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Writing], None]] = []
        self._untold: deque[Writing] = deque()
        self._telling = threading.RLock()

    def listen(self, listener: Callable[[Writing], None]) -> None:
        """Call ``listener`` after every commit, in their order, on the thread that has written.
        It must be quick; what it raises is logged and changes nothing."""
        self._listeners.append(listener)

    def load(self) -> None:
        """Fill the mirror from the store: the same at a start as after a crash."""
        alive = [state for state in OrderState if state not in TERMINAL]
        with self._lock, self.store.reading() as tx:
            self.bots = {bot.id: bot for bot in tx.bots.select()}
            self.positions = {one.bot_id: one for one in tx.positions.select(is_open=True)}
            self.working = {}
            for order in tx.orders.select(state=alive):
                self.working.setdefault(order.bot_id, {})[order.client_id] = order
            self.accounts = {one.account_id: one for one in tx.accounts.select()}
            self.findings = {one.id: one for one in tx.findings.select(state=FindingState.OPEN)}
            self.venue_accounts = {one.id: one for one in tx.venue_accounts.select()}
            self._load_totals(tx)
            newest = tx.audit.select(is_descending=True, limit=1)
            self._digest = newest[0].digest if newest else ""

    def _load_totals(self, tx: Transaction) -> None:
        self.totals = {}
        for account_id, asset, amount in tx.lines.values("account_id", "asset", "amount"):
            self._move(account_id, asset, amount)
        for account_id, *values in tx.fills.values("account_id", *FILL_EFFECT):
            for asset, amount in fill_effect(*values).items():
                self._move(account_id, asset, amount)

    def _move(self, account_id: str, asset: str, amount: Decimal) -> None:
        totals = self.totals.setdefault(account_id, {})
        totals[asset] = totals.get(asset, ZERO) + amount

    def hold_until_checked(self) -> None:
        """Let no account take entries before it has been reconciled: what a start begins with."""
        self.unchecked = {bot.account_id for bot in self.bots.values()}

    def account_objection(self, account_id: str) -> str | None:
        """Why an account takes no entries, or None."""
        added = self.venue_accounts.get(account_id.partition(":")[2])
        if added is not None and (objection := added.objection(self.clock.now())) is not None:
            return objection
        if account_id in self.unchecked:
            return "the account has not been reconciled yet"
        account = self.accounts.get(account_id)
        if account is not None and account.health is AccountHealth.DENIED:
            return f"the venue refuses the account's key: {account.detail}"
        blocking = [one for one in list(self.findings.values())
                    if one.account_id == account_id and one.is_blocking]  # fmt: skip
        if blocking:
            return f"the account does not agree with its venue: {blocking[0].detail}"
        return None

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """One durable change. The mirror is untouched when the block or the commit raises."""
        with self._lock:
            with self.store.transaction() as tx:
                writing = Writing(tx, self.clock, self.bots, self._digest)
                yield writing
            self._follow(writing)
            self._untold.append(writing)
        self._tell()
        for event in writing.written_events:
            more = {"kind": event.kind, "bot_id": event.bot_id, "data": event.data}
            log.log(LOG_LEVELS[event.level], event.message, extra=more)

    def _tell(self) -> None:
        """Without the lock of the books: a listener delays no other writer's commit."""
        with self._telling:
            while self._untold:
                writing = self._untold.popleft()
                for listener in self._listeners:
                    try:
                        listener(writing)
                    except Exception:
                        log.exception("a listener of the books failed; the books are not touched")

    def _follow(self, writing: Writing) -> None:
        self._digest = writing.digest
        for bot_id, bot in writing.bots.items():
            if bot is None:
                self.bots.pop(bot_id, None)
            else:
                self.bots[bot_id] = bot
        for bot_id, position in writing.positions.items():
            if position.is_open:
                self.positions[bot_id] = position
            else:
                self.positions.pop(bot_id, None)
        self._follow_accounts(writing)
        for client_id, order in writing.orders.items():
            orders = dict(self.working.get(order.bot_id, {}))
            if order.is_terminal:
                orders.pop(client_id, None)
            else:
                orders[client_id] = order
            self.working[order.bot_id] = orders
            if order.bot_id != HOUSE and client_id in self.working.get(HOUSE, {}):  # adopted
                self.working[HOUSE] = {**self.working[HOUSE]}
                del self.working[HOUSE][client_id]

    def _follow_accounts(self, writing: Writing) -> None:
        for line in writing.lines:
            self._move(line.account_id, line.asset, line.amount)
        for fill in writing.fills:
            effect = fill_effect(*(getattr(fill, name) for name in FILL_EFFECT))
            for asset, amount in effect.items():
                self._move(fill.account_id, asset, amount)
        self.accounts.update(writing.accounts)
        for key, added in writing.venue_accounts.items():
            if added is None:
                self.venue_accounts.pop(key, None)
            else:
                self.venue_accounts[key] = added
        for finding_id, finding in writing.findings.items():
            if finding.state is FindingState.OPEN:
                self.findings[finding_id] = finding
            else:
                self.findings.pop(finding_id, None)

    def get_bot(self, key: str) -> Bot:
        """The bot with this id or name. Raises NotFound."""
        bot = self.bots.get(key) or self.find_by_name(key)
        if bot is None:
            raise NotFound(f"There is no bot '{key}'.", field="bot")
        return bot

    def find_by_name(self, name: str) -> Bot | None:
        """The bot of this name, whatever its case."""
        wanted = name.casefold()
        return next((bot for bot in list(self.bots.values())
                     if bot.config.name.casefold() == wanted), None)  # fmt: skip

    def working_orders(self, bot_id: str) -> list[Order]:
        """A bot's orders that are not done, in the order in which they were planned."""
        orders = self.working.get(bot_id, {}).values()
        return sorted(orders, key=lambda order: (order.created_at, order.after_client_id or ""))

    def show_reason(self, bot_id: str, reason: str, kind: str, level: Level) -> None:
        """Show ``reason`` on a bot and record it, once for as long as it stays the same."""
        if self.get_bot(bot_id).reason == reason:
            return
        with self.writing() as writing:
            writing.save_bot(bot_id, reason=reason)
            if reason:
                writing.event(level, kind, reason, bot_id)
