"""Accounts for the API: both sides of each, and what a person decides about a difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.api.base_views import worth_of
from engine.contracts import (
    AccountBot,
    AccountHealth,
    AccountReport,
    AccountView,
    AssetRow,
    Bot,
    Finding,
    FindingFilter,
    FindingState,
    ResolveRequest,
)
from engine.domain.accounts import AccountState
from engine.domain.venue_accounts import mode_of
from engine.errors import BrokerUnavailable, NotFound, OrderStateUnknown, QuarterdeckError
from engine.ports import MarketData, Venues, has_steps
from engine.services.account_ledger import AccountLedger, AssetState
from engine.services.books import Books
from engine.services.convert import Converter
from engine.services.lane_calls import LaneCalls
from engine.services.places import routed_accounts
from engine.services.reconcile import Reconciler


@dataclass(frozen=True)
class AccountDesk:
    """Implements ``AccountServices``; checks and decisions run on the account's lane."""

    books: Books
    reconciler: Reconciler
    ledger: AccountLedger
    venues: Venues
    calls: LaneCalls
    converter: Converter

    def account_reports(self) -> Sequence[AccountReport]:
        """Every account in use as of its last check."""
        routed = routed_accounts(self.books, self.venues)
        ids = sorted({*self.ledger.account_ids(), *(set(routed) & set(self.books.accounts))})
        return [self._report(account_id) for account_id in ids]

    def check_account(self, account_id: str, actor: str) -> AccountReport:
        """Compare with the venue now; one that takes too long is a report that says so."""
        market_id, bot = self._place_of(account_id)
        try:
            self.calls.run(
                account_id, self._check, account_id, market_id, bot, actor,
                look_at="The account's findings",
            )  # fmt: skip
        except (BrokerUnavailable, OrderStateUnknown) as error:
            update = {"health": AccountHealth.UNREACHABLE, "detail": error.message}
            return self._report(account_id).model_copy(update=update)
        return self._report(account_id)

    def findings(self, chosen: FindingFilter) -> Sequence[Finding]:
        """The newest seen first."""
        where: dict[str, Any] = chosen.model_dump(exclude={"limit"}, exclude_none=True)
        with self.books.store.reading() as tx:
            return tx.findings.select(is_descending=True, limit=chosen.limit, **where)

    def resolve_finding(self, request: ResolveRequest, actor: str) -> Finding:
        """As a person decides. Raises NotFound, Conflict, ConfigError."""
        with self.books.store.reading() as tx:
            finding = tx.findings.find(request.finding_id)
        if finding is None:
            raise NotFound("There is no such finding.", field="finding_id")
        bot_id = self.books.get_bot(request.bot_id).id if request.bot_id else None
        return self.calls.run(
            finding.account_id, self.reconciler.resolve, finding.id, request.resolution, actor,
            bot_id, look_at="The account's findings",
        )  # fmt: skip

    def balances(self) -> Sequence[AccountView]:
        """What each venue says now; one that does not answer carries its error."""
        users: dict[str, Bot] = {bot.account_id: bot for bot in list(self.books.bots.values())}
        return [self._balances(account_id, bot) for account_id, bot in sorted(users.items())]

    # --- parts ----------------------------------------------------------------------------------

    def _balances(self, account_id: str, bot: Bot) -> AccountView:
        mode = mode_of(account_id)
        try:
            market = self.venues.market(bot.market, bot.id)
            balances = self.venues.broker(account_id, market).balances()
        except QuarterdeckError as error:
            return AccountView(account_id=account_id, mode=mode, free={}, locked={},
                               error=error.message)  # fmt: skip
        return AccountView(
            account_id=account_id,
            mode=mode,
            free={asset: balance.free for asset, balance in balances.items()},
            locked={asset: balance.locked for asset, balance in balances.items()},
        )

    def _check(self, account_id: str, market_id: str, bot: Bot, actor: str) -> AccountState:
        state = self.reconciler.check(account_id, self._market(market_id, bot), "asked")
        with self.books.writing() as writing:
            writing.audit(actor, "account.check", account_id, health=state.health.value)
        return state

    def _market(self, market_id: str, bot: Bot) -> MarketData:
        """An account's market; a replay at rest stands at its bot's last decided candle."""
        market = self.venues.market(market_id, bot.id)
        if has_steps(market) and bot.decided_until is not None:
            market.seek(bot.decided_until)
        return market

    def _place_of(self, account_id: str) -> tuple[str, Bot]:
        """The market of an account, and a bot that trades with it, or may. Raises NotFound."""
        for bot in list(self.books.bots.values()):
            if bot.account_id == account_id:
                return bot.market, bot
        routed = routed_accounts(self.books, self.venues)
        if account_id not in routed:
            raise NotFound(f"There is no account '{account_id}'.", field="account_id")
        return routed[account_id]

    def _report(self, account_id: str) -> AccountReport:
        state = self.books.accounts.get(account_id) or AccountState(account_id=account_id)
        is_checked = account_id not in self.books.unchecked
        found = [
            one
            for one in list(self.books.findings.values())
            if one.account_id == account_id and one.state is FindingState.OPEN
        ]
        found.sort(key=lambda one: (not one.is_blocking, one.first_seen, one.id))
        bots = [bot for bot in list(self.books.bots.values()) if bot.account_id == account_id]
        assets = self.ledger.assets(account_id)
        held = {one.asset: one.books if one.venue is None else one.venue for one in assets}
        is_known_bad = state.health in (AccountHealth.UNREACHABLE, AccountHealth.DENIED)
        return AccountReport(
            account_id=account_id,
            account_name=self._name_of(account_id),
            mode=mode_of(account_id),
            health=state.health if is_checked or is_known_bad else AccountHealth.UNCHECKED,
            detail=state.detail,
            checked_at=state.checked_at,
            objection=self.books.account_objection(account_id),
            assets=tuple(_row(asset) for asset in assets),
            findings=tuple(found),
            bots=tuple(
                AccountBot(id=bot.id, name=bot.config.name, symbol=bot.symbol) for bot in bots
            ),
            worth=worth_of(self.converter, held, self.books.clock.now()),
        )

    def _name_of(self, account_id: str) -> str:
        added = list(self.books.venue_accounts.values())
        return next((one.name for one in added if one.trading_id == account_id), "")


def _row(asset: AssetState) -> AssetRow:
    return AssetRow(
        asset=asset.asset,
        books=asset.books,
        venue=asset.venue,
        difference=None if asset.venue is None else asset.venue - asset.books,
        owned=asset.owned,
        reserved=asset.reserved,
        unassigned=asset.unassigned,
        dust=asset.dust,
    )
