"""Accounts at venues: tested before they are kept, disabled without stranding anything, deleted
with their secrets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from engine.domain.bots import Bot, BotState, Desired
from engine.domain.records import Level
from engine.domain.routes import RoutingConfig
from engine.domain.venue_accounts import Mode, VenueAccount
from engine.errors import (
    BrokerUnavailable,
    ConfigError,
    Conflict,
    NotFound,
    OrderStateUnknown,
)
from engine.services.books import Books
from engine.services.connections import Connections
from engine.services.venue_accounts import NewAccount, VenueAccounts
from tests.fakes.clock import FakeClock
from tests.fakes.lane_calls import InlineCalls
from tests.fakes.memory_store import MemoryStore
from tests.fakes.vault import FakeVault
from tests.fakes.venue_adapter import BAD, GOOD, WITHDRAWS, FakeVenue
from tests.unit.samples import bot as sample_bot
from tests.unit.samples import config as sample_config

KEY, SECRET = "canary-key-1", "canary-secret-2"


@dataclass
class Office:
    """The service with everything it needs, all in memory."""

    clock: FakeClock
    store: MemoryStore
    books: Books
    venue: FakeVenue
    vault: FakeVault
    calls: InlineCalls
    connections: Connections
    accounts: VenueAccounts
    reopened: list[str]
    hidden: set[str]

    def add(self, name: str = "Main", **changes: Any) -> VenueAccount:
        """Add an account with a key."""
        asked: dict[str, Any] = {
            "name": name, "venue": "fake", "mode": Mode.TEST, "options": {},
            "secrets": {"key": KEY, "secret": SECRET},
        }  # fmt: skip
        return self.accounts.add(NewAccount(**(asked | changes)), "me")

    def add_bot(self, account: VenueAccount, **changes: Any) -> Bot:
        """A bot that trades with an account."""
        config = sample_config(name="Trader", market=account.market_id)
        bot = sample_bot(config=config, account_id=account.trading_id, **changes)
        with self.books.writing() as writing:
            writing.add_bot(bot)
        return bot

    def audited(self) -> list[str]:
        """What was done, oldest first."""
        with self.store.reading() as tx:
            return [one.action for one in tx.audit.select()]


@pytest.fixture
def office() -> Office:
    clock, vault, calls = FakeClock(), FakeVault(), InlineCalls()
    store, venue = MemoryStore(clock.now), FakeVenue(clock)
    books = Books(store, clock)
    adapters = {"fake": venue.adapter(), "fakedaily": venue.adapter(has_login=True)}
    reopened, hidden = list[str](), set[str]()
    connections = Connections(store, vault, adapters, clock, hidden.add)
    accounts = VenueAccounts(
        books, connections, vault, calls, lambda account: reopened.append(account.id)
    )
    return Office(clock, store, books, venue, vault, calls, connections, accounts, reopened, hidden)


# --- adding --------------------------------------------------------------------------------------


def test_an_account_whose_test_goes_well_is_kept_enabled_with_its_secrets_sealed(
    office: Office,
) -> None:
    account = office.add(secrets={"key": f" {KEY}\n", "secret": SECRET, "passphrase": ""})
    assert account.is_enabled
    assert account.inspection == GOOD
    assert account.tested_at == office.clock.now()
    assert account.options == {"address": "http://127.0.0.1:1", "window_s": 10}
    assert office.connections.secrets(account.id) == {"key": KEY, "secret": SECRET}
    assert {KEY, SECRET} <= office.hidden
    kept = str(office.store.rows("venue_accounts")) + str(office.store.rows("account_secrets"))
    audit = str(office.store.rows("audit_entries")) + str(office.store.rows("events"))
    for canary in (KEY, SECRET):
        assert canary not in kept + audit
    assert office.venue.closed == [account.trading_id]  # what it was tested with
    assert office.audited() == ["account.add"]


def test_a_key_that_can_withdraw_is_not_kept(office: Office) -> None:
    office.venue.inspection = WITHDRAWS
    with pytest.raises(ConfigError, match="may withdraw money") as caught:
        office.add()
    assert caught.value.field == "secrets"
    assert office.accounts.all() == []
    assert not office.store.rows("account_secrets")
    assert len(office.calls.retired) == 1


def test_an_account_that_fails_its_test_is_kept_disabled(office: Office) -> None:
    office.venue.inspection = BAD
    account = office.add()
    assert not account.is_enabled
    assert account.inspection == BAD
    with pytest.raises(Conflict, match="did not go well"):
        office.accounts.enable(account.id, "me")
    office.venue.inspection = GOOD
    office.accounts.test("main", "me")
    assert office.accounts.enable("main", "me").is_enabled


@pytest.mark.parametrize(
    "failure", [BrokerUnavailable("the lane is busy"), OrderStateUnknown("it takes long")]
)
def test_a_venue_that_does_not_answer_leaves_an_account_untested_until_it_does(
    office: Office, failure: BrokerUnavailable | OrderStateUnknown
) -> None:
    office.calls.failure = failure
    account = office.add()
    assert not account.is_enabled
    assert account.inspection is None
    objection = office.books.account_objection(account.trading_id)
    assert objection is not None
    assert "has not been tested" in objection
    with pytest.raises(Conflict, match="has not been tested"):
        office.accounts.enable(account.id, "me")
    office.calls.failure = None
    assert office.accounts.test(account.id, "me").is_enabled


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"name": "MAIN"}, Conflict, "name"),
        ({"venue": "nowhere"}, NotFound, "venue"),
        ({"mode": Mode.PAPER}, ConfigError, "mode"),
        ({"options": {"window_s": 0}}, ConfigError, "options.window_s"),
        ({"options": {"address": "https://evil.example"}}, ConfigError, "options.address"),
        ({"options": {"no_such": 1}}, ConfigError, "options.no_such"),
        ({"secrets": {"key": KEY}}, ConfigError, "secrets.secret"),
        ({"secrets": {"key": KEY, "secret": "  "}}, ConfigError, "secrets.secret"),
        ({"secrets": {"key": KEY, "secret": "x" * 10_001}}, ConfigError, "secrets.secret"),
        ({"secrets": {"key": KEY, "secret": SECRET, "more": "x"}}, ConfigError, "secrets"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field_and_nothing_is_kept(
    office: Office, changes: dict[str, Any], error: type[ConfigError], field: str
) -> None:
    office.add()
    asked = {"name": "Other", **changes}
    with pytest.raises(error) as caught:
        office.add(**asked)
    assert caught.value.field == field
    assert SECRET not in caught.value.message
    assert [one.name for one in office.accounts.all()] == ["Main"]


def test_without_a_key_to_seal_with_nothing_is_kept(office: Office) -> None:
    office.vault.is_locked = True
    with pytest.raises(ConfigError, match="is gone"):
        office.add()
    assert office.accounts.all() == []


# --- changing ------------------------------------------------------------------------------------


def test_new_secrets_are_tested_and_the_connection_is_opened_anew(office: Office) -> None:
    account = office.add()
    before = office.connections.open(account.id)
    assert office.connections.open(account.id) is before
    changed = office.accounts.change(account.id, "me", secrets={"secret": "another-secret"})
    assert changed.is_enabled
    assert office.venue.opened[-1].secrets == {"key": KEY, "secret": "another-secret"}
    assert office.reopened == [account.id]
    after = office.connections.open(account.id)
    assert after is not before
    assert after.market is not before.market
    assert office.venue.closed.count(account.trading_id) == 3  # two tests, and the one in use


def test_new_secrets_that_can_withdraw_change_nothing(office: Office) -> None:
    account = office.add()
    office.venue.inspection = WITHDRAWS
    with pytest.raises(ConfigError, match="may withdraw"):
        office.accounts.change(account.id, "me", secrets={"secret": "another-secret"})
    assert office.accounts.get(account.id) == account
    assert office.connections.secrets(account.id)["secret"] == SECRET
    assert office.reopened == []


def test_what_a_person_has_switched_off_stays_off_whatever_a_change_finds(office: Office) -> None:
    account = office.add()
    office.accounts.disable(account.id, "me", is_confirmed=False)
    assert not office.accounts.change(account.id, "me", secrets={"key": "k-two"}).is_enabled
    office.calls.failure = BrokerUnavailable("hangs")
    assert not office.accounts.change(account.id, "me", secrets={"key": "k-three"}).is_enabled
    office.calls.failure = None
    assert not office.accounts.test(account.id, "me").is_enabled
    assert office.accounts.enable(account.id, "me").is_enabled


def test_a_rename_asks_no_venue(office: Office) -> None:
    account = office.add()
    tests = len(office.venue.opened)
    assert office.accounts.change(account.id, "me", name="Savings").name == "Savings"
    assert office.accounts.change("savings", "me", name="SAVINGS").name == "SAVINGS"
    assert len(office.venue.opened) == tests
    assert office.reopened == []
    office.add("Main")
    with pytest.raises(Conflict, match="already"):
        office.accounts.change("savings", "me", name="main")


def test_options_wait_until_the_accounts_bots_are_at_rest(office: Office) -> None:
    account = office.add()
    office.add_bot(account, state=BotState.RUNNING, desired=Desired.RUNNING)
    with pytest.raises(Conflict, match="stop them") as caught:
        office.accounts.change(account.id, "me", options={"window_s": 20})
    assert caught.value.field == "options"
    assert office.accounts.change(account.id, "me", secrets={"key": "k-two"}).is_enabled
    with office.books.writing() as writing:
        writing.save_bot("b0000001", state=BotState.STOPPED, desired=Desired.STOPPED)
    changed = office.accounts.change(account.id, "me", options={"window_s": 20})
    assert changed.options["window_s"] == 20


def test_secrets_can_be_replaced_when_the_key_they_were_sealed_with_is_lost(
    office: Office,
) -> None:
    account = office.add()
    office.vault.is_locked = True
    assert "is gone" in office.accounts.trouble(account)
    office.vault.is_locked = False
    with office.books.writing() as writing:
        for sealed in writing.tx.secrets.select(account_id=account.id):
            writing.tx.secrets.save(sealed.model_copy(update={"sealed": "junk"}))
    assert "does not open" in office.accounts.trouble(account)
    fresh = {"key": "k2-long", "secret": "s2-long", "passphrase": "p2-long"}
    office.accounts.change(account.id, "me", secrets=fresh)
    assert office.accounts.trouble(account) == ""


# --- testing -------------------------------------------------------------------------------------


def test_a_key_that_can_withdraw_by_now_disables_its_account_loudly(office: Office) -> None:
    account = office.add()
    office.venue.inspection = WITHDRAWS
    tested = office.accounts.test(account.id, "me")
    assert not tested.is_enabled
    objection = office.books.account_objection(account.trading_id) or ""
    assert objection.startswith("the last test of the account 'Main' failed")
    with office.store.reading() as tx:
        event = tx.events.select(is_descending=True, limit=1)[0]
    assert event.level is Level.ERROR
    assert "withdraw" in event.message
    assert office.audited() == ["account.add", "account.test"]


def test_a_test_that_fails_leaves_an_account_that_trades_as_it_is(office: Office) -> None:
    account = office.add()
    office.venue.inspection = BAD
    tested = office.accounts.test(account.id, "me")
    assert tested.is_enabled
    assert tested.inspection == BAD


# --- enabling and deleting -----------------------------------------------------------------------


def test_disabling_with_bots_at_work_is_confirmed_and_said(office: Office) -> None:
    account = office.add()
    office.add_bot(account, state=BotState.RUNNING, desired=Desired.RUNNING)
    with pytest.raises(Conflict, match="'Trader' trade with 'Main'") as caught:
        office.accounts.disable(account.id, "me", is_confirmed=False)
    assert caught.value.field == "confirm"
    office.accounts.disable(account.id, "me", is_confirmed=True)
    objection = office.books.account_objection(account.trading_id)
    assert objection == "the account 'Main' is disabled: enable it on the Accounts page"
    assert office.connections.offered_markets() == []


def test_an_account_in_use_is_not_deleted_and_takes_its_secrets_along(office: Office) -> None:
    account = office.add()
    bot = office.add_bot(account)
    with pytest.raises(Conflict, match="'Trader' use 'Main'"):
        office.accounts.delete(account.id, "me")
    with office.books.writing() as writing:
        writing.delete_bot(bot.id)
    office.connections.open(account.id)
    office.accounts.delete("Main", "me")
    assert not office.store.rows("account_secrets")
    assert office.accounts.all() == []
    assert office.venue.closed.count(account.trading_id) == 2
    with pytest.raises(NotFound):
        office.connections.open(account.id)
    assert office.audited() == ["account.add", "account.delete"]
    assert office.calls.retired == [account.trading_id]


def test_the_mirror_is_the_same_after_a_restart(office: Office) -> None:
    account = office.add()
    office.accounts.disable(account.id, "me", is_confirmed=False)
    again = Books(office.store, office.clock)
    again.load()
    assert again.venue_accounts == office.books.venue_accounts
    assert again.account_objection(account.trading_id) is not None


# --- logging in ----------------------------------------------------------------------------------


def test_a_daily_login_makes_an_account_usable_until_its_token_ends(office: Office) -> None:
    account = office.add(venue="fakedaily")
    assert not account.is_enabled
    assert office.venue.opened == []  # nothing to ask before the login
    with pytest.raises(Conflict, match="Log in"):
        office.accounts.test(account.id, "me")
    assert office.accounts.login_url(account.id).startswith("http://127.0.0.1:1/login")
    with pytest.raises(ConfigError, match="paste the whole address"):
        office.accounts.complete_login(account.id, "nonsense", "me")
    logged_in = office.accounts.complete_login(account.id, " ok-then ", "me")
    assert logged_in.is_enabled
    assert office.connections.secrets(account.id)["token"] == "token-of-ok-then"
    assert "token-of-ok-then" in office.hidden
    assert office.books.account_objection(account.trading_id) is None
    office.clock.advance(8 * 3600)
    objection = office.books.account_objection(account.trading_id)
    assert objection is not None
    assert "log in again" in objection


def test_a_venue_without_a_login_says_so(office: Office) -> None:
    account = office.add()
    calls: list[Callable[[], object]] = [
        lambda: office.accounts.login_url(account.id),
        lambda: office.accounts.complete_login(account.id, "ok", "me"),
    ]
    for call in calls:
        with pytest.raises(Conflict, match="needs no login"):
            call()


def test_an_account_that_entries_may_be_routed_to_is_in_use(office: Office) -> None:
    account = office.add()
    other = office.add("Other")
    bot = office.add_bot(account)
    routing = RoutingConfig(markets=(other.market_id,))
    with office.books.writing() as writing:
        writing.save_bot(bot.id, config=bot.config.model_copy(update={"routing": routing}))
    with pytest.raises(Conflict, match="'Trader' use 'Other'"):
        office.accounts.delete(other.id, "me")
