"""``ports.Vault`` by AES-256-GCM (NIST SP 800-38D), a random 96-bit nonce for every value."""

import base64
import binascii
import secrets
import threading
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.errors import ConfigError

FORMAT = "v1"
NONCE_BYTES = 12
KEY_BYTES = 32


class AesVault:
    """Seals with the key that ``find_key`` gives: 32 bytes, asked for when first needed and again
    until there is one. ``find_key`` raises ConfigError.

    The account and the name are authenticated with each value, so that a ciphertext which is
    copied to another row does not open.
    """

    def __init__(self, find_key: Callable[[], bytes]) -> None:
        self._find_key = find_key
        self._cipher: AESGCM | None = None
        self._lock = threading.Lock()

    def seal(self, account_id: str, name: str, value: str) -> str:
        """``v1:`` and, in base64, the nonce, the ciphertext and its tag."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._key().encrypt(nonce, value.encode(), _place(account_id, name))
        return f"{FORMAT}:{base64.b64encode(nonce + sealed).decode()}"

    def open(self, account_id: str, name: str, sealed: str) -> str:
        """Raises ConfigError, as ``ports.Vault`` says."""
        written, _, content = sealed.partition(":")
        if written != FORMAT:
            raise ConfigError(
                f"The secret '{name}' was sealed by a newer version of Quarterdeck, or is damaged:"
                " enter it again, on the Accounts or the Alerts page."
            )
        try:
            raw = base64.b64decode(content, validate=True)
            opened = self._key().decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], _place(account_id, name)
            )
            return opened.decode()
        except (InvalidTag, binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise ConfigError(
                f"The secret '{name}' does not open with this engine's key: give the engine back "
                "the key it was sealed with (see docs/accounts.md), or enter the secret again, on "
                "the Accounts or the Alerts page."
            ) from error

    def _key(self) -> AESGCM:
        with self._lock:
            if self._cipher is None:
                self._cipher = AESGCM(self._find_key())
            return self._cipher


def _place(account_id: str, name: str) -> bytes:
    """What a value is bound to; neither part can hold the line break between them."""
    return f"quarterdeck {FORMAT}\n{account_id}\n{name}".encode()
