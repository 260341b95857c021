"""What a person does with channels: add, change, enable, disable, delete, and fill the matrix."""

import secrets as randomness
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypedDict

from engine.domain.alerts import AlertKind, Channel, ChannelKind, QuietHours
from engine.domain.channel_defaults import DEFAULT_KINDS
from engine.domain.channel_forms import FORMS
from engine.domain.records import Level
from engine.errors import ConfigError, Conflict, NotFound
from engine.ports import Notifier, Transaction
from engine.services.books import Books, Writing
from engine.services.channel_changes import difference, tell_change
from engine.services.channel_links import ChannelLinks, secret_names


class Rules(TypedDict, total=False):
    """What can be set on a channel of whatever kind; ``domain.alerts.Channel`` says what each is.
    ``bots`` and ``escalate_to`` may be names."""

    is_enabled: bool
    kinds: tuple[AlertKind, ...]
    bots: tuple[str, ...]
    quiet: QuietHours | None
    most_per_minute: int
    digest_above: int
    digest_window_s: int
    escalate_to: str
    escalate_after_s: int
    segment_price: Decimal | None


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix; ``channel`` empty: of all channels, ``kind`` None: of all kinds."""

    channel: str
    kind: AlertKind | None
    is_on: bool


class Channels:
    """Commands on channels; used from the API's threads, never on the event loop. Channels are
    read from the store: there are few of them, and no second copy of them can be wrong."""

    def __init__(self, books: Books, links: ChannelLinks) -> None:
        self._books = books
        self._links = links

    # --- reading --------------------------------------------------------------------------------

    def all(self) -> Sequence[Channel]:
        """All of them, in the order in which they were added."""
        with self._books.store.reading() as tx:
            return _all(tx)

    def get(self, key: str) -> Channel:
        """By id or name, whatever its case. Raises NotFound."""
        return _get(self.all(), key)

    def notifier(self, channel: Channel) -> Notifier:
        """What sends through it. Raises ConfigError saying what to do."""
        return self._links.notifier(channel)

    def trouble(self, channel: Channel) -> str:
        """Why a channel cannot be used here, whatever its provider says; empty when it can."""
        try:
            self._links.opened(channel)
        except ConfigError as error:
            return error.message
        return ""

    # --- adding and changing --------------------------------------------------------------------

    def add(
        self, name: str, kind: ChannelKind, fields: Mapping[str, str], rules: Rules, actor: str
    ) -> Channel:
        """A new channel; nothing is sent. Raises ConfigError naming the field, Conflict for a name
        that is taken, NotFound for a bot or channel that is not there."""
        now = self._books.clock.now()
        chosen: Rules = {"kinds": DEFAULT_KINDS[kind], **rules}
        bare = Channel(
            id=randomness.token_hex(4), name=name, kind=kind, created_at=now, updated_at=now
        )
        settings, secrets = self._links.checked(bare, fields)
        sealed = self._links.seal(bare.id, secrets)
        with self._books.writing() as writing:
            there = _all(writing.tx)
            _require_free(there, name)
            channel = bare.model_copy(
                update={"settings": settings, "sealed": sealed, **self._ruled(there, bare, chosen)}
            )
            _require_end(there, channel)
            writing.tx.channels.add(channel)
            title = FORMS[kind].title
            writing.event(Level.INFO, "channel.added", f"The channel '{name}' ({title}) was added.")
            writing.audit(
                actor, "channel.add", channel.id, name=name, kind=str(kind),
                **difference(bare, channel),
            )  # fmt: skip
            tell_change(writing, bare, channel)
        return channel

    def change(
        self,
        key: str,
        actor: str,
        *,
        name: str | None = None,
        fields: Mapping[str, str] | None = None,
        rules: Rules | None = None,
    ) -> Channel:
        """What is not given stays, and so does a secret that is given empty. Raises like ``add``,
        and NotFound for the channel."""
        before = self.get(key)
        fresh = self._checked_anew(before, fields or {})
        with self._books.writing() as writing:
            there = _all(writing.tx)
            now = _get(there, before.id)
            if fresh and (now.settings, now.sealed) != (before.settings, before.sealed):
                raise Conflict(f"'{now.name}' was changed at the same time: look at it again.")
            changes = {**fresh, **self._ruled(there, now, rules or {})}
            if name is not None and name != now.name:
                _require_free(there, name, but=now.id)
                changes["name"] = name
            changed = self._saved(writing, now, changes)
            _require_end(there, changed)
            writing.audit(actor, "channel.change", changed.id, **difference(now, changed))
            tell_change(writing, now, changed)
        self._links.forget(changed.id)
        return changed

    def delete(self, key: str, actor: str) -> None:
        """Remove a channel with its secrets; what waits for it is dropped by its sender. Raises
        NotFound, Conflict while another channel escalates to it."""
        with self._books.writing() as writing:
            there = _all(writing.tx)
            channel = _get(there, key)
            users = [one.name for one in there if one.escalate_to == channel.id]
            if users:
                names = ", ".join(f"'{one}'" for one in users)
                raise Conflict(
                    f"{names} escalates to '{channel.name}': choose another channel there first."
                )
            writing.tx.channels.delete(channel.id)
            words = f"The channel '{channel.name}' and its secrets were deleted."
            writing.event(Level.INFO, "channel.deleted", words)
            writing.audit(actor, "channel.delete", channel.id, name=channel.name)
        self._links.forget(channel.id)

    def set_cells(self, cells: Iterable[Cell], actor: str) -> Sequence[Channel]:
        """Fill cells of the matrix in their order, all or none; all channels as they are then.
        Raises NotFound for a channel that is not there."""
        with self._books.writing() as writing:
            there = {one.id: one for one in _all(writing.tx)}
            chosen = {key: set(one.kinds) for key, one in there.items()}
            for cell in cells:
                meant = [_get(list(there.values()), cell.channel).id] if cell.channel else chosen
                for channel_id in list(meant):
                    kinds = set(AlertKind) if cell.kind is None else {cell.kind}
                    chosen[channel_id] = (
                        chosen[channel_id] | kinds if cell.is_on else chosen[channel_id] - kinds
                    )
            for channel_id, kinds in chosen.items():
                before = there[channel_id]
                if kinds == set(before.kinds):
                    continue
                changed = self._saved(writing, before, {"kinds": _in_order(kinds)})
                there[channel_id] = changed
                writing.audit(
                    actor, "channel.matrix", channel_id, name=before.name,
                    on=[str(one) for one in _in_order(kinds - set(before.kinds))],
                    off=[str(one) for one in _in_order(set(before.kinds) - kinds)],
                )  # fmt: skip
        return list(there.values())

    # --- parts ----------------------------------------------------------------------------------

    def _checked_anew(self, channel: Channel, given: Mapping[str, str]) -> dict[str, Any]:
        """The settings, and the secrets sealed, of a channel whose form was filled in again;
        empty when nothing was given."""
        is_secret = secret_names(channel)
        fresh = {one: text for one, text in given.items() if text.strip() or one not in is_secret}
        if not fresh:
            return {}
        is_all_new = all(one in fresh for one in is_secret)
        kept = {} if is_all_new else self._links.secrets(channel)  # the key may be lost
        settings, secrets = self._links.checked(channel, {**channel.settings, **kept, **fresh})
        sealed = self._links.seal(
            channel.id, {one: text for one, text in secrets.items() if one in fresh}
        )
        return {"settings": settings, "sealed": {**channel.sealed, **sealed}}

    def _ruled(self, there: Sequence[Channel], channel: Channel, rules: Rules) -> dict[str, Any]:
        """Rules with ids for names. Raises NotFound."""
        ruled: dict[str, Any] = dict(rules)
        if "kinds" in rules:
            ruled["kinds"] = _in_order(rules["kinds"])
        if "bots" in rules:  # one that is chosen already may be gone by now
            ids = [
                key if key in channel.bots else self._books.get_bot(key).id for key in rules["bots"]
            ]
            ruled["bots"] = tuple(dict.fromkeys(ids))
        if rules.get("escalate_to"):
            try:
                ruled["escalate_to"] = _get(there, rules["escalate_to"]).id
            except NotFound as error:
                raise NotFound(error.message, field="escalate_to") from None
        return ruled

    def _saved(self, writing: Writing, channel: Channel, changes: Mapping[str, Any]) -> Channel:
        changed = channel.model_copy(update={**changes, "updated_at": self._books.clock.now()})
        writing.tx.channels.save(changed)
        return changed


def _all(tx: Transaction) -> Sequence[Channel]:
    return sorted(tx.channels.select(), key=lambda one: (one.created_at, one.id))


def _get(there: Iterable[Channel], key: str) -> Channel:
    wanted = key.casefold()
    for channel in there:
        if channel.id == key or channel.name.casefold() == wanted:
            return channel
    raise NotFound(f"There is no channel '{key}'.", field="channel")


def _require_free(there: Iterable[Channel], name: str, but: str = "") -> None:
    for channel in there:
        if channel.id != but and channel.name.casefold() == name.casefold():
            raise Conflict(f"There is a channel named '{channel.name}' already.", field="name")


def _require_end(there: Iterable[Channel], channel: Channel) -> None:
    """An alert that goes from channel to channel must come to an end."""
    by_id = {one.id: one for one in there} | {channel.id: channel}
    path, at = [channel], by_id.get(channel.escalate_to)
    while at is not None:
        path.append(at)
        if at.id == channel.id:
            names = " to ".join(f"'{one.name}'" for one in path)
            raise ConfigError(
                f"Escalation would go round: {names}. Choose a channel that leads to no other, "
                "or none.", field="escalate_to",
            )  # fmt: skip
        at = by_id.get(at.escalate_to)


def _in_order(kinds: Iterable[AlertKind]) -> tuple[AlertKind, ...]:
    """As the matrix has them, each once."""
    chosen = set(kinds)
    return tuple(kind for kind in AlertKind if kind in chosen)
