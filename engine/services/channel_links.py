"""Channels as they are used: their secrets sealed and opened, and one notifier each, kept."""

import ipaddress
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from engine.domain.alerts import Channel
from engine.domain.channel_forms import FORMS, FieldError, checked_fields
from engine.errors import ConfigError
from engine.ports import Notifier, Notifiers, Vault

SHORTEST_PART = 8
LONGEST_WORD = 20


@dataclass(frozen=True)
class _Link:
    """A notifier and the channel that it was made of."""

    channel: Channel
    notifier: Notifier

    def fits(self, channel: Channel) -> bool:
        return (channel.settings, channel.sealed) == (self.channel.settings, self.channel.sealed)


class ChannelLinks:
    """Opens channels. Thread-safe.

    ``hide`` is told of every secret before anything gets it, and of the parts of one that is an
    address, so that no log ever shows them.
    """

    def __init__(self, vault: Vault, notifiers: Notifiers, hide: Callable[[str], None]) -> None:
        self._vault = vault
        self._notifiers = notifiers
        self._hide = hide
        self._links: dict[str, _Link] = {}
        self._lock = threading.Lock()

    def notifier(self, channel: Channel) -> Notifier:
        """The channel's, made anew when its settings or secrets have changed. Raises ConfigError
        saying what to do: a lost key, a field that cannot be used."""
        with self._lock:
            found = self._links.get(channel.id)
        if found is not None and found.fits(channel):
            return found.notifier
        # Without the lock: a vendor's library is slow to load, and other channels do not wait.
        settings, secrets = self.opened(channel)
        made = self._notifiers.make(channel.kind, settings, secrets)
        with self._lock:
            self._links[channel.id] = _Link(channel, made)
        return made

    def forget(self, channel_id: str) -> None:
        """Drop a channel's notifier."""
        with self._lock:
            self._links.pop(channel_id, None)

    def opened(self, channel: Channel) -> tuple[dict[str, str], dict[str, str]]:
        """Settings and secrets in the clear, checked as those of a form. Raises ConfigError."""
        return self.checked(channel, {**channel.settings, **self.secrets(channel)})

    def checked(
        self, channel: Channel, fields: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Settings and secrets of what a form gave. Raises ConfigError naming ``fields.<name>``;
        no secret is in it."""
        form = FORMS[channel.kind]
        known = [field.name for field in form.fields]
        if not set(fields) <= set(known):
            # What was given may be a secret in the wrong place: it is not repeated.
            raise ConfigError(
                f"{form.title} has no such field; it has {', '.join(known)}.", field="fields"
            )
        for name in secret_names(channel):
            self.hide(fields.get(name, "").strip())
        try:
            return checked_fields(channel.kind, fields)
        except FieldError as error:
            raise ConfigError(str(error), field=f"fields.{error.field}") from None

    def seal(self, channel_id: str, secrets: Mapping[str, str]) -> dict[str, str]:
        """Ciphertext by field; an empty secret is none. Raises ConfigError without a key."""
        return {
            name: self._vault.seal(channel_id, name, value)
            for name, value in secrets.items()
            if value
        }

    def secrets(self, channel: Channel) -> dict[str, str]:
        """Those that are set, in the clear. Raises ConfigError."""
        opened = {}
        for name, sealed in channel.sealed.items():
            try:
                opened[name] = self._vault.open(channel.id, name, sealed)
            except ConfigError as error:
                raise ConfigError(
                    f"The channel '{channel.name}' cannot be used. {error.message}"
                ) from error
            self.hide(opened[name])
        return opened

    def hide(self, secret: str) -> None:
        """Keep a secret out of the logs."""
        for part in parts_of(secret):
            self._hide(part)


def secret_names(channel: Channel) -> tuple[str, ...]:
    """The fields of a channel's form that are secret."""
    return tuple(one.name for one in FORMS[channel.kind].fields if one.is_secret)


def parts_of(secret: str) -> Iterator[str]:
    """A secret and, where it is an address, what is secret in it: libraries log the path apart
    from the host, and the pieces of it decoded."""
    if not secret:
        return
    yield secret
    if "://" not in secret:
        return
    scheme, _, rest = secret.partition("://")
    if scheme.lower() in ("http", "https"):  # the host is known to everybody
        try:
            host = urlsplit(secret).netloc.rpartition("@")[2]
        except ValueError:
            host = ""
        rest = rest.replace(host, "", 1)
    for piece in re.split(r"[/?&=@:#,]+", rest):
        for form in {piece, unquote(piece), quote(piece, safe="")}:
            if _is_telling(form):
                yield form


def _is_telling(piece: str) -> bool:
    """Whether a piece of an address may be secret: words such as 'webhooks' are not, nor is the
    address of a machine, without which logs would tell nothing."""
    if len(piece) < SHORTEST_PART:
        return False
    try:
        ipaddress.ip_address(piece)
    except ValueError:
        return len(piece) >= LONGEST_WORD or any(letter.isdigit() for letter in piece)
    return False
