"""What a person does with accounts at venues: add, test, rename, change, enable, disable, delete.

An account is tested before it is kept. A key that can withdraw is refused; an account whose test
fails, or whose venue does not answer, is kept but takes no entries until a test goes well.
"""

import secrets as randomness
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from engine.domain.bots import Bot
from engine.domain.records import Level
from engine.domain.venue_accounts import Inspection, Mode, VenueAccount
from engine.errors import ConfigError, Conflict, NotFound
from engine.ports import Vault, VenueAdapter
from engine.services.account_secrets import (
    SecretKeeper,
    check_secrets,
    given_secrets,
    is_logged_in,
)
from engine.services.account_tests import LOOK_AT, AccountTests, judged, unanswered
from engine.services.books import Books, Writing
from engine.services.connections import Connections, checked_options
from engine.services.lane_calls import LaneCalls
from engine.services.supervise import is_active

Reopened = Callable[[VenueAccount], None]


@dataclass(frozen=True)
class NewAccount:
    """What is asked for when an account is added. Never print ``secrets``."""

    name: str
    venue: str
    mode: Mode
    options: Mapping[str, Any]
    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return f"NewAccount({self.name!r}, {self.venue!r}, {self.mode!r})"


class VenueAccounts:
    """Commands on accounts; used from the API's threads, never on the event loop.

    ``reopened`` is told, on the account's lane, of one whose connection was closed because it is
    opened otherwise from now on.
    """

    def __init__(
        self,
        books: Books,
        connections: Connections,
        vault: Vault,
        calls: LaneCalls,
        reopened: Reopened = lambda _account: None,
    ) -> None:
        self._books = books
        self._connections = connections
        self._secrets = SecretKeeper(vault, books.clock)
        self._tests = AccountTests(books, connections, calls)
        self._calls = calls
        self._reopened = reopened

    # --- reading --------------------------------------------------------------------------------

    def all(self) -> Sequence[VenueAccount]:
        """All of them, in the order in which they were added."""
        found = list(self._books.venue_accounts.values())
        return sorted(found, key=lambda one: (one.created_at, one.id))

    def get(self, key: str) -> VenueAccount:
        """By id or name, whatever its case. Raises NotFound."""
        found = self._books.venue_accounts.get(key) or self._find_by_name(key)
        if found is None:
            raise NotFound(f"There is no account '{key}'.", field="account")
        return found

    def trouble(self, account: VenueAccount) -> str:
        """Why an account cannot be opened here, whatever its venue says; empty when it can."""
        try:
            adapter = self._connections.adapter(account.venue)
            checked_options(adapter, account.options)
            check_secrets(adapter, self._connections.secrets(account.id))
        except (ConfigError, NotFound) as error:
            return error.message
        return ""

    def bots_of(self, account: VenueAccount) -> list[Bot]:
        """Bots on any of its markets, paper at its prices included, and those whose entries may
        be routed there."""
        own = {account.market_id, account.prices_id}
        return [
            bot
            for bot in list(self._books.bots.values())
            if bot.account_id == account.trading_id or own & _markets_of(bot)
        ]

    # --- adding and changing --------------------------------------------------------------------

    def add(self, asked: NewAccount, actor: str) -> VenueAccount:
        """A new account, tested; enabled when the test goes well.

        Raises ConfigError naming the field, also for a key that can withdraw; Conflict for a name
        that is taken; NotFound for an unknown venue.
        """
        self._require_free_name(asked.name)
        adapter = self._connections.adapter(asked.venue)
        if asked.mode not in adapter.modes:
            offered = " or ".join(mode.value for mode in adapter.modes)
            raise ConfigError(f"{adapter.title} has accounts of mode {offered}.", field="mode")
        now = self._books.clock.now()
        secrets = given_secrets(adapter, asked.secrets)
        check_secrets(adapter, secrets)
        account = VenueAccount(
            id=randomness.token_hex(4), name=asked.name, venue=asked.venue, mode=asked.mode,
            options=_kept_options(checked_options(adapter, asked.options)),
            is_enabled=False, created_at=now, updated_at=now,
        )  # fmt: skip
        try:
            inspection = self._tried_out(account, adapter, secrets)
        except ConfigError:
            self._calls.retire(account.trading_id)
            raise
        if inspection is not None:
            account = judged(account, inspection, now)
        with self._books.writing() as writing:
            writing.put_venue_account(account, is_new=True)
            self._secrets.keep(writing.tx, account.id, secrets)
            words = f"The account '{account.name}' was added at {adapter.title}; {_state(account)}."
            writing.event(_level(account), "account.added", words)
            writing.audit(
                actor, "account.add", account.id, name=account.name, venue=account.venue,
                mode=account.mode.value, options=dict(account.options), secrets=sorted(secrets),
                is_enabled=account.is_enabled,
            )  # fmt: skip
        return account

    def change(
        self,
        key: str,
        actor: str,
        *,
        name: str | None = None,
        options: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> VenueAccount:
        """Another name, options or secrets; secrets that are not given stay. Tested before it is
        kept, like a new account. Raises like ``add``, and Conflict for options while a bot of the
        account is active, holds a position or has an order working."""
        account = self.get(key)
        if name is not None and name.casefold() != account.name.casefold():
            self._require_free_name(name)
        changes: dict[str, Any] = {} if name is None else {"name": name}
        fresh: dict[str, str] = {}
        if options is not None or secrets:
            adapter = self._connections.adapter(account.venue)
            if options is not None:
                self._require_idle(account, options)
                changes["options"] = _kept_options(checked_options(adapter, options))
            fresh = given_secrets(adapter, secrets or {})
            changes |= self._retested(account.model_copy(update=changes), adapter, fresh)
        if not changes:
            return account
        with self._books.writing() as writing:
            changed = self._updated(writing, self.get(account.id), **changes)
            self._secrets.keep(writing.tx, account.id, fresh)
            words = f"The account '{changed.name}' was changed; {_state(changed)}."
            writing.event(_level(changed), "account.changed", words)
            writing.audit(
                actor, "account.change", account.id, name=changed.name, secrets=sorted(fresh),
                **({"options": dict(changed.options)} if options is not None else {}),
            )  # fmt: skip
        if options is not None or fresh:
            self._reopen(changed)
        return changed

    def _retested(
        self, account: VenueAccount, adapter: VenueAdapter, fresh: Mapping[str, str]
    ) -> dict[str, Any]:
        """What a test with the new secrets and options says; an account that was enabled stays so
        when it goes well."""
        secrets = {**self._readable_secrets(account, adapter, fresh), **fresh}
        check_secrets(adapter, secrets)
        inspection = self._tried_out(account, adapter, secrets)
        was_on = account.is_enabled or account.inspection is None
        if inspection is None:
            kept = None if was_on else unanswered()
            return {"is_enabled": False, "inspection": kept, "tested_at": None}
        return {
            "is_enabled": was_on and inspection.is_usable,
            "inspection": inspection,
            "tested_at": self._books.clock.now(),
        }

    def _tried_out(
        self, account: VenueAccount, adapter: VenueAdapter, secrets: Mapping[str, str]
    ) -> Inspection | None:
        """None before a login, too: the venue would say nothing."""
        if not is_logged_in(adapter, secrets):
            return None
        return self._tests.try_out(account, adapter, secrets)

    def _readable_secrets(
        self, account: VenueAccount, adapter: VenueAdapter, fresh: Mapping[str, str]
    ) -> dict[str, str]:
        """Those that are kept; not asked for where all are replaced, for the key may be lost."""
        if all(field.name in fresh for field in adapter.secrets):
            return {}
        return self._connections.secrets(account.id)

    def test(self, key: str, actor: str) -> VenueAccount:
        """Ask the venue about an account now; what it says is kept. A key that can withdraw by now
        disables its account. Raises BrokerUnavailable or OrderStateUnknown when the venue does not
        answer in time, Conflict before a login, ConfigError when it cannot be opened."""
        account = self.get(key)
        adapter = self._connections.adapter(account.venue)
        if not is_logged_in(adapter, self._connections.secrets(account.id)):
            raise Conflict(f"Log in to {adapter.title} first, then test the account.")
        return self._tests.test(account, actor)

    # --- enabling and deleting ------------------------------------------------------------------

    def enable(self, key: str, actor: str) -> VenueAccount:
        """Let it take entries (again). Raises Conflict until a test has gone well."""
        account = self.get(key)
        if account.inspection is None or not account.inspection.is_usable:
            raise Conflict(
                f"The last test of '{account.name}' did not go well: test it again first."
                if account.inspection
                else f"'{account.name}' has not been tested: test it first."
            )
        return self._switch(account, actor, is_enabled=True)

    def disable(self, key: str, actor: str, *, is_confirmed: bool) -> VenueAccount:
        """Let it take no entries; exits go on. Raises Conflict without a confirmation while bots
        of it are active, hold positions or have orders working."""
        account = self.get(key)
        busy = self._busy_bots(account)
        if busy and not is_confirmed:
            raise Conflict(
                f"{_names(busy)} trade with '{account.name}': they would open nothing new, and "
                "their exits go on. Confirm that it is to be disabled.",
                field="confirm",
            )
        return self._switch(account, actor, is_enabled=False)

    def _switch(self, account: VenueAccount, actor: str, *, is_enabled: bool) -> VenueAccount:
        verb = "enable" if is_enabled else "disable"
        with self._books.writing() as writing:
            changed = self._updated(writing, self.get(account.id), is_enabled=is_enabled)
            writing.event(Level.INFO if is_enabled else Level.WARNING, f"account.{verb}d",
                          f"The account '{account.name}' was {verb}d.")  # fmt: skip
            writing.audit(actor, f"account.{verb}", account.id, name=account.name)
        return changed

    def delete(self, key: str, actor: str) -> None:
        """Remove an account with its secrets. Raises Conflict while a bot uses it."""
        account = self.get(key)
        with self._books.writing() as writing:
            users = self.bots_of(account)
            if users:
                raise Conflict(
                    f"{_names(users)} use '{account.name}': delete them, or move them to another "
                    "market, first."
                )
            writing.delete_venue_account(account.id)
            words = f"The account '{account.name}' and its secrets were deleted."
            writing.event(Level.INFO, "account.deleted", words)
            writing.audit(actor, "account.delete", account.id, name=account.name)
        self._reopen(account)
        self._calls.retire(account.trading_id)

    # --- logging in -----------------------------------------------------------------------------

    def login_url(self, key: str) -> str:
        """Where a person logs in. Raises Conflict for a venue without a login, ConfigError."""
        account = self.get(key)
        adapter = self._connections.adapter(account.venue)
        if adapter.login is None:
            raise Conflict(f"{adapter.title} needs no login.")
        secrets = self._connections.secrets(account.id)
        return adapter.login.url(self._connections.access(account, secrets))

    def complete_login(self, key: str, answer: str, actor: str) -> VenueAccount:
        """Keep the token that a login gave, and test the account with it. Raises ConfigError for
        what is no answer, Conflict, AccessDenied, BrokerUnavailable, OrderStateUnknown."""
        account = self.get(key)
        return self._calls.run(
            account.trading_id, self._log_in, account.id, answer, actor, look_at=LOOK_AT
        )

    def _log_in(self, account_id: str, answer: str, actor: str) -> VenueAccount:
        """On the account's lane."""
        account = self.get(account_id)
        adapter = self._connections.adapter(account.venue)
        if adapter.login is None:
            raise Conflict(f"{adapter.title} needs no login.")
        access = self._connections.access(account, self._connections.secrets(account_id))
        token = adapter.login.complete(access, answer.strip())
        with self._books.writing() as writing:
            changed = self._updated(writing, self.get(account_id), expires_at=token.expires_at)
            self._secrets.keep(writing.tx, account_id, token.secrets)
            writing.event(Level.INFO, "account.login", f"Logged in to '{changed.name}'.")
            writing.audit(actor, "account.login", account_id, name=changed.name,
                          expires_at=token.expires_at.isoformat())  # fmt: skip
        self._close_and_tell(changed)
        return self._tests.test_on_lane(account_id, actor)

    # --- parts ----------------------------------------------------------------------------------

    def _updated(self, writing: Writing, account: VenueAccount, **changes: Any) -> VenueAccount:
        changed = account.model_copy(update={**changes, "updated_at": self._books.clock.now()})
        writing.put_venue_account(changed)
        return changed

    def _reopen(self, account: VenueAccount) -> None:
        """Close its connection on its lane, where no order is under way."""
        self._calls.finish(account.trading_id, self._close_and_tell, account)

    def _close_and_tell(self, account: VenueAccount) -> None:
        self._connections.close(account.id)
        self._reopened(account)

    def _require_free_name(self, name: str) -> None:
        if self._find_by_name(name) is not None:
            raise Conflict(f"There is an account named '{name}' already.", field="name")

    def _require_idle(self, account: VenueAccount, options: Mapping[str, Any]) -> None:
        busy = self._busy_bots(account)
        if busy and dict(options) != dict(account.options):
            raise Conflict(
                f"{_names(busy)} trade with '{account.name}': stop them, and close their "
                "positions, before you change its options.",
                field="options",
            )

    def _busy_bots(self, account: VenueAccount) -> list[Bot]:
        """Bots of the account itself that do or hold anything."""
        return [
            bot
            for bot in self.bots_of(account)
            if bot.account_id == account.trading_id
            and (
                is_active(bot)
                or bot.id in self._books.positions
                or self._books.working_orders(bot.id)
            )
        ]

    def _find_by_name(self, name: str) -> VenueAccount | None:
        wanted = name.casefold()
        return next((one for one in list(self._books.venue_accounts.values())
                     if one.name.casefold() == wanted), None)  # fmt: skip


def _kept_options(options: BaseModel) -> dict[str, Any]:
    return options.model_dump(mode="json")


def _markets_of(bot: Bot) -> set[str]:
    routing = bot.config.routing
    return {bot.config.market, bot.market, *(routing.markets if routing else ())}


def _state(account: VenueAccount) -> str:
    if account.is_enabled:
        return "its test went well"
    if account.inspection is None:
        return "it has not been tested yet, so it is disabled"
    return "its test did not go well, so it is disabled"


def _level(account: VenueAccount) -> Level:
    return Level.INFO if account.is_enabled else Level.WARNING


def _names(bots: list[Bot]) -> str:
    names = sorted(bot.config.name for bot in bots)
    shown = ", ".join(f"'{name}'" for name in names[:3])
    more = f" and {len(names) - 3} more bots" if len(names) > 3 else ""
    return f"{'Bots' if len(names) > 1 else 'Bot'} {shown}{more}"
