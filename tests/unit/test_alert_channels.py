"""Channels: kept with sealed secrets, changed, escalating, and the cells of their matrix."""

from datetime import time
from decimal import Decimal

import pytest

from engine.domain.alerts import AlertKind, Channel, ChannelKind, QuietHours
from engine.domain.channel_defaults import DEFAULT_KINDS
from engine.domain.channel_forms import FORMS
from engine.domain.records import AuditEntry, Event, Level
from engine.errors import ConfigError, Conflict, NotFound
from engine.services.books import Books
from engine.services.channel_links import ChannelLinks, parts_of
from engine.services.channels import Cell, Channels, Rules
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.notifier import FakeNotifiers
from tests.fakes.vault import FakeVault
from tests.support.channel_forms import right_fields, secrets_of
from tests.unit.samples import bot as sample_bot

K = AlertKind


class Desk:
    """Channels over memory, with everything that can be looked into."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.books = Books(MemoryStore(self.clock.now), self.clock)
        self.vault, self.notifiers = FakeVault(), FakeNotifiers()
        self.hidden: list[str] = []
        self.channels = Channels(
            self.books, ChannelLinks(self.vault, self.notifiers, self.hidden.append)
        )

    def add(self, name: str, kind: ChannelKind = ChannelKind.SMS, **rules: object) -> Channel:
        chosen: Rules = rules  # type: ignore[assignment]
        self.clock.advance(1)
        return self.channels.add(name, kind, right_fields(kind), chosen, "panel")

    def audit(self) -> list[AuditEntry]:
        with self.books.store.reading() as tx:
            return list(tx.audit.select())

    def events(self, kind: str) -> list[Event]:
        with self.books.store.reading() as tx:
            return list(tx.events.select(kind=kind))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("kind", ChannelKind)
def test_every_kind_is_kept_with_its_secrets_sealed_and_hidden(
    desk: Desk, kind: ChannelKind
) -> None:
    given = right_fields(kind)
    made = desk.channels.add("Mine", kind, given, {}, "panel")
    assert made.kinds == DEFAULT_KINDS[kind]
    assert set(made.sealed) == set(secrets_of(kind)) <= set(given)
    with desk.books.store.reading() as tx:
        kept = repr(tx.channels.select()[0].model_dump()) + repr(desk.audit())
    for name in secrets_of(kind):
        assert given[name] not in kept
        assert given[name] in desk.hidden
    desk.channels.notifier(desk.channels.get("mine"))
    [notifier] = desk.notifiers.made
    fields = {one.name: given.get(one.name, one.default) for one in FORMS[kind].fields}
    assert {**notifier.settings, **notifier.secrets} == fields


def test_an_sms_tells_less_than_a_chat() -> None:
    sms, chat = (set(DEFAULT_KINDS[one]) for one in (ChannelKind.SMS, ChannelKind.TELEGRAM))
    assert sms < chat
    assert {K.BOT_FAULTED, K.DAILY_LOSS, K.SUMMARY_6H, K.MANUAL} <= sms
    assert K.POSITION_OPENED in chat - sms
    assert set(DEFAULT_KINDS) == set(ChannelKind)


def test_names_are_given_once_whatever_their_case(desk: Desk) -> None:
    first = desk.add("Phone")
    with pytest.raises(Conflict, match="a channel named 'Phone' already") as caught:
        desk.add("PHONE")
    assert caught.value.field == "name"
    second = desk.add("Tablet")
    with pytest.raises(Conflict, match="'Phone' already"):
        desk.channels.change(second.id, "panel", name="phone")
    assert desk.channels.change(first.id, "panel", name="PHONE").name == "PHONE"
    assert [one.name for one in desk.channels.all()] == ["PHONE", "Tablet"]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"account_sid": "AC12"}, "account_sid", "Account SID 'AC12' cannot be used: AC and 32"),
        ({"auth_token": ""}, "auth_token", "Auth token is missing"),
        ({"auth_token": "short"}, "auth_token", "Auth token cannot be used"),
        ({"to": "0151"}, "to", "To '0151' cannot be used: numbers with their country's code"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_kept(
    desk: Desk, fields: dict[str, str], field: str, words: str
) -> None:
    given = right_fields(ChannelKind.SMS, **fields)
    with pytest.raises(ConfigError, match=words) as caught:
        desk.channels.add("Phone", ChannelKind.SMS, given, {}, "panel")
    assert caught.value.field == f"fields.{field}"
    assert "short" not in caught.value.message.replace("cannot be used: ", "")
    assert desk.channels.all() == []
    assert desk.audit() == []


def test_a_field_that_is_none_is_not_repeated(desk: Desk) -> None:
    given = right_fields(ChannelKind.SMS, **{"a-secret-in-the-wrong-place": "x"})
    with pytest.raises(ConfigError) as caught:
        desk.channels.add("Phone", ChannelKind.SMS, given, {}, "panel")
    assert caught.value.message == (
        "SMS by Twilio has no such field; it has account_sid, auth_token, sender, to."
    )


def test_a_change_keeps_what_is_not_given_and_secrets_that_are_empty(desk: Desk) -> None:
    made = desk.add("Phone")
    desk.clock.advance(5)
    changed = desk.channels.change(
        "phone", "cli:me", fields={"sender": "+15005550009", "auth_token": "  "},
        rules={"most_per_minute": 9},
    )  # fmt: skip
    assert changed.sealed == made.sealed
    assert changed.settings == {**made.settings, "sender": "+15005550009"}
    assert (changed.most_per_minute, changed.updated_at) == (9, desk.clock.now())
    entry = desk.audit()[-1]
    assert (entry.actor, entry.action, entry.subject) == ("cli:me", "channel.change", made.id)
    assert entry.detail == {"settings": dict(changed.settings), "most_per_minute": 9}
    renewed = desk.channels.change("phone", "panel", fields={"auth_token": "twilio-token-2"})
    assert renewed.sealed != made.sealed
    assert desk.audit()[-1].detail == {"secrets": ["auth_token"]}
    assert "twilio-token" not in repr(desk.audit())


def test_a_notifier_is_kept_until_its_channel_is_opened_otherwise(desk: Desk) -> None:
    desk.add("Phone")

    def notifier() -> object:
        return desk.channels.notifier(desk.channels.get("phone"))

    first = notifier()
    assert notifier() is first
    desk.channels.change("phone", "panel", name="Mobile")
    desk.channels.change("mobile", "panel", name="Phone", fields={"auth_token": "twilio-token-2"})
    second = notifier()
    assert second is not first
    assert desk.notifiers.made[-1].secrets == {"auth_token": "twilio-token-2"}


def test_one_that_holds_an_older_state_of_a_channel_gets_what_fits_it(desk: Desk) -> None:
    older = desk.add("Phone")
    desk.channels.change("phone", "panel", fields={"sender": "+15005550009"})
    desk.channels.notifier(desk.channels.get("phone"))
    desk.channels.notifier(older)
    assert [one.settings["sender"] for one in desk.notifiers.made] == [
        "+15005550009", "+15005550006"
    ]  # fmt: skip


def test_a_lost_key_is_a_trouble_and_new_secrets_cure_it(desk: Desk) -> None:
    made = desk.add("Phone")
    assert desk.channels.trouble(made) == ""
    foreign = made.model_copy(update={"sealed": {"auth_token": "other|auth_token|1|x"}})
    with desk.books.writing() as writing:
        writing.tx.channels.save(foreign)
    words = "The channel 'Phone' cannot be used. The secret 'auth_token' does not open"
    assert desk.channels.trouble(foreign).startswith(words)
    with pytest.raises(ConfigError, match="does not open"):
        desk.channels.notifier(foreign)
    with pytest.raises(ConfigError, match="does not open"):
        desk.channels.change("phone", "panel", fields={"sender": "+15005550009"})
    desk.channels.change("phone", "panel", rules={"is_enabled": False})  # needs no key
    cured = desk.channels.change("phone", "panel", fields={"auth_token": "twilio-token-2"})
    assert desk.channels.trouble(cured) == ""


def test_without_a_key_nothing_is_kept(desk: Desk) -> None:
    desk.vault.is_locked = True
    with pytest.raises(ConfigError, match="is gone"):
        desk.add("Phone")
    assert desk.channels.all() == []


def test_escalation_comes_to_an_end(desk: Desk) -> None:
    desk.add("A")
    b = desk.add("B", escalate_to="a")
    c = desk.add("C", escalate_to=b.id)
    assert c.escalate_to == b.id
    with pytest.raises(ConfigError, match="round: 'A' to 'C' to 'B' to 'A'") as caught:
        desk.channels.change("a", "panel", rules={"escalate_to": "c"})
    assert caught.value.field == "escalate_to"
    with pytest.raises(ConfigError, match="round: 'A' to 'A'"):
        desk.channels.change("a", "panel", rules={"escalate_to": "A"})
    with pytest.raises(NotFound, match="no channel 'nobody'") as missing:
        desk.channels.change("a", "panel", rules={"escalate_to": "nobody"})
    assert missing.value.field == "escalate_to"
    assert desk.channels.get("a").escalate_to == ""
    with pytest.raises(Conflict, match="'C' escalates to 'B'"):
        desk.channels.delete("b", "panel")
    desk.channels.change("c", "panel", rules={"escalate_to": ""})
    desk.channels.delete("b", "panel")
    assert [one.name for one in desk.channels.all()] == ["A", "C"]


def test_bots_are_known_and_one_that_is_gone_may_stay(desk: Desk) -> None:
    bot = sample_bot()
    desk.books.bots[bot.id] = bot
    made = desk.add("Phone", bots=(bot.config.name, bot.id))
    assert made.bots == (bot.id,)
    with pytest.raises(NotFound, match="no bot 'nobody'"):
        desk.channels.change("phone", "panel", rules={"bots": ("nobody",)})
    del desk.books.bots[bot.id]
    kept = desk.channels.change("phone", "panel", rules={"bots": (bot.id,)})
    assert kept.bots == (bot.id,)


def test_quiet_hours_and_a_price_are_set_and_taken_away(desk: Desk) -> None:
    desk.add("Phone")
    quiet = QuietHours(start=time(22), end=time(7), zone="Europe/Berlin")
    set_ = desk.channels.change(
        "phone", "panel", rules={"quiet": quiet, "segment_price": Decimal("0.0079")}
    )
    assert (set_.quiet, set_.segment_price) == (quiet, Decimal("0.0079"))
    assert desk.audit()[-1].detail["quiet"]["start"] == "22:00:00"
    taken = desk.channels.change("phone", "panel", rules={"quiet": None, "segment_price": None})
    assert (taken.quiet, taken.segment_price) == (None, None)


def test_who_lets_a_chat_command_the_engine_is_told(desk: Desk) -> None:
    made = desk.add("Chat", ChannelKind.TELEGRAM)
    assert desk.events("channel.commands") == []
    desk.channels.change("chat", "panel", fields={"commands": "trade", "users": "42"})
    [event] = desk.events("channel.commands")
    assert event.level is Level.WARNING
    assert event.message == (
        "The chat of 'Chat' may command the engine from now on. Of its users, these: 42."
    )
    assert desk.audit()[-1].detail["settings"]["commands"] == "trade"
    desk.channels.change("chat", "panel", fields={"commands": "no", "users": ""})
    assert "may neither ask nor command" in desk.events("channel.commands")[-1].message
    assert desk.channels.get(made.id).settings["users"] == ""


def test_a_channel_that_is_disabled_is_told_and_its_end_too(desk: Desk) -> None:
    desk.add("Phone")
    desk.channels.change("phone", "panel", rules={"is_enabled": False})
    assert [one.level for one in desk.events("channel.disabled")] == [Level.WARNING]
    desk.channels.delete("PHONE", "panel")
    assert desk.audit()[-1].action == "channel.delete"
    with pytest.raises(NotFound, match="no channel 'phone'"):
        desk.channels.get("phone")


def test_cells_are_set_one_by_one_by_row_and_by_column(desk: Desk) -> None:
    a, b = desk.add("A", kinds=()), desk.add("B", kinds=(K.PRICE,))

    def cells(*chosen: Cell) -> dict[str, tuple[AlertKind, ...]]:
        return {one.name: one.kinds for one in desk.channels.set_cells(chosen, "panel")}

    assert cells(Cell("a", K.MANUAL, True)) == {"A": (K.MANUAL,), "B": (K.PRICE,)}
    assert desk.audit()[-1].detail == {"name": "A", "on": ["manual"], "off": []}
    assert cells(Cell("", K.DRAWDOWN, True))["B"] == (K.DRAWDOWN, K.PRICE)
    assert cells(Cell(b.id, None, True))["B"] == tuple(AlertKind)
    assert cells(Cell("", None, False), Cell(a.id, K.PRICE, True)) == {"A": (K.PRICE,), "B": ()}
    count = len(desk.audit())
    assert cells(Cell("a", K.PRICE, True))["A"] == (K.PRICE,)
    assert len(desk.audit()) == count  # nothing has changed


def test_no_cell_is_set_when_one_of_them_cannot_be(desk: Desk) -> None:
    desk.add("A", kinds=())
    with pytest.raises(NotFound, match="no channel 'nobody'"):
        desk.channels.set_cells([Cell("a", K.PRICE, True), Cell("nobody", K.PRICE, True)], "panel")
    assert desk.channels.get("a").kinds == ()


@pytest.mark.parametrize(
    ("secret", "told", "not_told"),
    [
        ("plain-token", {"plain-token"}, set()),
        ("", set(), {""}),
        ("https://discord.com/api/webhooks/1234567890/Ab-c_1234567890123456",
         {"1234567890", "Ab-c_1234567890123456"}, {"discord.com", "webhooks", "api"}),
        ("ntfys://me:Pass%2Fword1@127.0.0.1:8080/topic", {"Pass%2Fword1", "Pass/word1"},
         {"127.0.0.1", "topic"}),
        ("json://[::1:bad/Secret-path-1234567", {"Secret-path-1234567"}, set()),
    ],
)  # fmt: skip
def test_what_is_secret_in_an_address_is_hidden_by_itself(
    secret: str, told: set[str], not_told: set[str]
) -> None:
    parts = set(parts_of(secret))
    assert told <= parts
    assert not parts & not_told
