"""Channels for the API: forms and the matrix out, secrets in and never out again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import SecretStr

from engine.contracts.alerts import (
    ChannelChanges,
    ChannelFieldView,
    ChannelFormView,
    ChannelRequest,
    ChannelTest,
    ChannelView,
    MatrixUpdate,
)
from engine.domain.alerts import Channel, Delivery, DeliveryState
from engine.domain.channel_defaults import DEFAULT_KINDS
from engine.domain.channel_forms import FORMS, ChannelForm
from engine.errors import ChannelError, ConfigError
from engine.ports import Transaction
from engine.services.books import Books
from engine.services.channels import Cell, Channels, Rules
from engine.services.last_tries import last_error

RULES = tuple(Rules.__annotations__)
ON_THEIR_WAY = (DeliveryState.WAITING, DeliveryState.SENDING)


class TestSender(Protocol):
    """What sends a test message at once."""

    def test(self, channel: Channel, actor: str) -> Delivery:
        """What became of it, a refusal included."""
        ...


class ChannelServices(Protocol):
    """What the API asks about channels. ``key`` is a channel's id or name; NotFound is raised for
    one that is not there."""

    def forms(self) -> Sequence[ChannelFormView]:
        """Every kind of channel, with the fields it needs."""
        ...

    def list(self) -> Sequence[ChannelView]:
        """In the order in which they were added."""
        ...

    def get(self, key: str) -> ChannelView:
        """One."""
        ...

    def add(self, request: ChannelRequest, actor: str) -> ChannelView:
        """Raises ConfigError naming the field, Conflict (name taken), NotFound (bot, channel)."""
        ...

    def change(self, key: str, changes: ChannelChanges, actor: str) -> ChannelView:
        """Raises like ``add``."""
        ...

    def delete(self, key: str, actor: str) -> None:
        """Raises Conflict while another escalates to it."""
        ...

    def set_matrix(self, request: MatrixUpdate, actor: str) -> Sequence[ChannelView]:
        """All cells or none; all channels as they are then."""
        ...

    def verify(self, key: str) -> ChannelTest:
        """Ask the provider about the credentials; its refusal is an answer."""
        ...

    def test(self, key: str, actor: str) -> ChannelTest:
        """Send a test message now; the provider's refusal is an answer."""
        ...


@dataclass(frozen=True)
class ChannelDesk:
    """Implements ``ChannelServices`` over the service."""

    books: Books
    channels: Channels
    sender: TestSender

    def forms(self) -> Sequence[ChannelFormView]:
        """Every kind of channel."""
        return [_form_view(form) for form in FORMS.values()]

    def list(self) -> Sequence[ChannelView]:
        """In the order in which they were added."""
        return self._views(self.channels.all())

    def get(self, key: str) -> ChannelView:
        """One."""
        return self._view(self.channels.get(key))

    def add(self, request: ChannelRequest, actor: str) -> ChannelView:
        """Keep a new one."""
        rules = _rules(request)
        added = self.channels.add(request.name, request.kind, _plain(request.fields), rules, actor)
        return self._view(added)

    def change(self, key: str, changes: ChannelChanges, actor: str) -> ChannelView:
        """Keep what is new."""
        changed = self.channels.change(
            key, actor, name=changes.name, fields=_plain(changes.fields), rules=_rules(changes)
        )
        return self._view(changed)

    def delete(self, key: str, actor: str) -> None:
        """Remove it with its secrets."""
        self.channels.delete(key, actor)

    def set_matrix(self, request: MatrixUpdate, actor: str) -> Sequence[ChannelView]:
        """All cells or none."""
        cells = [Cell(one.channel, one.kind, one.is_on) for one in request.cells]
        return self._views(self.channels.set_cells(cells, actor))

    def verify(self, key: str) -> ChannelTest:
        """Ask the provider; nothing is sent and nothing written."""
        channel = self.channels.get(key)
        told: dict[str, Any] = {"channel_id": channel.id, "channel_name": channel.name}
        try:
            answer = self.channels.notifier(channel).verify()
        except ChannelError as error:
            return ChannelTest(**told, is_ok=False, answer=error.answer, error=error.message)
        except ConfigError as error:
            return ChannelTest(**told, is_ok=False, error=error.message)
        return ChannelTest(**told, is_ok=True, answer=answer)

    def test(self, key: str, actor: str) -> ChannelTest:
        """Send a test message now."""
        return _test_view(self.sender.test(self.channels.get(key), actor))

    # --- parts ----------------------------------------------------------------------------------

    def _view(self, channel: Channel) -> ChannelView:
        [view] = self._views([channel])
        return view

    def _views(self, channels: Sequence[Channel]) -> Sequence[ChannelView]:
        names = {one.id: one.name for one in self.channels.all()}
        with self.books.store.reading() as tx:
            return [
                ChannelView(
                    **channel.model_dump(exclude={"sealed"}),
                    kind_title=FORMS[channel.kind].title,
                    secrets=tuple(sorted(channel.sealed)),
                    escalate_to_name=names.get(channel.escalate_to, ""),
                    trouble=self.channels.trouble(channel),
                    waiting=tx.deliveries.count(channel_id=channel.id, state=ON_THEIR_WAY),
                    **_newest(tx, channel.id),
                )
                for channel in channels
            ]


def _newest(tx: Transaction, channel_id: str) -> dict[str, Any]:
    """When it sent last, why its newest try failed, if that did, and its last test."""
    sent = tx.deliveries.select(
        channel_id=channel_id, state=DeliveryState.SENT, is_descending=True, limit=1
    )
    tests = tx.deliveries.select(channel_id=channel_id, is_test=True, is_descending=True, limit=1)
    return {
        "last_sent_at": sent[0].sent_at if sent else None,
        "last_error": last_error(tx, channel_id),
        "last_test": _test_view(tests[0]) if tests else None,
    }


def _test_view(sent: Delivery) -> ChannelTest:
    return ChannelTest(
        channel_id=sent.channel_id, channel_name=sent.channel_name,
        is_ok=sent.state is DeliveryState.SENT, answer=sent.answer, error=sent.error,
        state=sent.state, delivery_id=sent.id, segments=sent.segments, cost=sent.cost,
        at=sent.created_at,
    )  # fmt: skip


def _form_view(form: ChannelForm) -> ChannelFormView:
    return ChannelFormView(
        kind=form.kind,
        title=form.title,
        help=form.help,
        fields=tuple(
            ChannelFieldView(
                name=field.name, title=field.title, help=field.help, default=field.default,
                is_secret=field.is_secret, is_optional=field.is_optional, options=field.options,
            )
            for field in form.fields
        ),
        kinds=DEFAULT_KINDS[form.kind],
    )  # fmt: skip


def _rules(given: ChannelRequest | ChannelChanges) -> Rules:
    """Those that were named; None stands for "as it is", but where it is a value of its own."""
    rules: Rules = {}
    for name in RULES:
        value = getattr(given, name)
        is_a_value = name in ("quiet", "segment_price") and name in given.model_fields_set
        if value is not None or is_a_value:
            rules[name] = value  # type: ignore[literal-required]
    return rules


def _plain(fields: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in fields.items()}
