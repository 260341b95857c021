"""Where the key that seals secrets comes from: the environment, the system's keyring, or a file.

The first of them that has a key is used. When none has one, and nothing was sealed yet, a key is
made: kept in the keyring where there is one, else in the file.
"""

import base64
import binascii
import logging
import os
import secrets
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.adapters.secrets.aes_vault import KEY_BYTES
from engine.errors import ConfigError

log = logging.getLogger("quarterdeck.secrets")

VARIABLE = "QUARTERDECK_SECRET_KEY"
KEY_FILE = "secret.key"
SERVICE = "quarterdeck"
KEYRING_PATIENCE_S = 10.0
"""A locked keyring may ask its owner for a password, who may not be there."""


class Keyring(Protocol):
    """What is used of the ``keyring`` package."""

    def get_password(self, service_name: str, username: str) -> str | None:
        """None when there is none."""
        ...

    def set_password(self, service_name: str, username: str, password: str) -> None:
        """Keep it."""
        ...


def system_keyring() -> Keyring:
    """The ``keyring`` package, which finds the system's own."""
    import keyring

    return keyring


@dataclass(frozen=True)
class KeySources:
    """Finds the key of one data folder. ``keyring`` None: it is not asked. ``has_secrets`` says
    whether something is sealed already, which a new key could not open."""

    folder: Path
    given: str | None
    keyring: Callable[[], Keyring] | None
    has_secrets: Callable[[], bool]

    def find(self) -> bytes:
        """32 bytes. Raises ConfigError saying what is wrong with the key, or that it is gone."""
        if self.given is not None:
            return decode_key(self.given, f"{VARIABLE} in the environment or .env")
        found = self._ask_keyring()
        if found is not None:
            return decode_key(found, "The key in the system's keyring")
        path = self.folder / KEY_FILE
        kept = read_key_file(path)
        if kept is not None:
            return decode_key(kept, f"The key in {path}")
        if self.has_secrets():
            raise ConfigError(
                "The key that the accounts' secrets were sealed with is not there any more. It was "
                f"{VARIABLE}, in the system's keyring of this user, or in {path}: put it back, or "
                "delete the accounts and channels and add them again."
            )
        return self._make(path)

    def _make(self, path: Path) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        text = base64.b64encode(key).decode()
        if self._keep_in_keyring(text):
            log.info("made a key for the accounts' secrets: it is in the system's keyring")
        else:
            write_key_file(path, text)
            log.info("made a key for the accounts' secrets: it is in %s", path)
        return key

    def _ask_keyring(self) -> str | None:
        open_keyring = self.keyring
        if open_keyring is None:
            return None
        return _available(lambda: open_keyring().get_password(SERVICE, self._entry))

    def _keep_in_keyring(self, text: str) -> bool:
        """Whether it can be read back: some backends take what they do not keep."""
        open_keyring = self.keyring
        if open_keyring is None:
            return False

        def keep() -> str | None:
            open_keyring().set_password(SERVICE, self._entry, text)
            return open_keyring().get_password(SERVICE, self._entry)

        return _available(keep) == text

    @property
    def _entry(self) -> str:
        return f"secret key of {self.folder}"


def _available(ask: Callable[[], str | None]) -> str | None:
    """What the keyring answers; one that fails or does not answer counts as not there.

    Asked on a thread of its own, for it may wait for a password that nobody enters.
    """
    answers: list[str | None] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception:  # every backend has errors of its own
            log.info("the system's keyring is not available")
            log.debug("because of this", exc_info=True)

    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_PATIENCE_S)
    if thread.is_alive():
        log.warning("the system's keyring does not answer; it is locked, perhaps")
    return answers[0] if answers else None


def decode_key(text: str, where: str) -> bytes:
    """A key from base64. Raises ConfigError naming ``where`` it was."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"{where} is no key: it must be {KEY_BYTES} bytes in base64, as "
            "'openssl rand -base64 32' prints them."
        )
    return key


def read_key_file(path: Path) -> str | None:
    """What is in a key file, or None when there is none. Raises ConfigError for one that others
    than its owner may read, and for one that cannot be read."""
    try:
        if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(
                f"Others than you may read {path}, so it is not used: run 'chmod 600 {path}'. If "
                "somebody may have read it, replace the keys of your accounts at their venues."
            )
        return path.read_text("ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The key file {path} cannot be read: {error}.") from error


def write_key_file(path: Path, text: str) -> None:
    """Make a key file with mode 0600. Raises ConfigError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())  # before anything is sealed by it
    except OSError as error:
        raise ConfigError(f"The key file {path} cannot be made: {error.strerror}.") from error
