"""Tokens of the API: made, listed, revoked; found in memory for every request that shows one."""

import hashlib
import re
import secrets
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from engine.domain.tokens import ApiToken, Scope
from engine.errors import ConfigError, Conflict, NotFound
from engine.services.books import Books, new_id

PREFIX = "qd_"
RANDOM_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][\w.\-]{0,39}", re.ASCII)
MOST_TOKENS = 200
USE_IS_KEPT_EVERY = timedelta(minutes=1)


class ApiTokens:
    """The tokens of other programs. ``find``, ``objection`` and ``note_use`` only touch memory;
    everything else is for a thread. A name is never given twice: the audit trail tells by it who
    did what."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._by_digest: dict[str, ApiToken] = {}  # replaced as a whole: the gate reads meanwhile
        self._lock = threading.Lock()
        self._used: dict[str, datetime] = {}
        self._kept: dict[str, datetime] = {}

    def load(self) -> None:
        """Read them from the store."""
        with self._books.store.reading() as tx:
            self._by_digest = {one.digest: one for one in tx.tokens.select()}

    def list(self) -> Sequence[ApiToken]:
        """The newest first, with when each was used last."""
        tokens = sorted(self._by_digest.values(), key=lambda one: one.created_at, reverse=True)
        return [self._as_used(one) for one in tokens]

    def create(
        self,
        name: str,
        scopes: Sequence[Scope],
        actor: str,
        *,
        rate_per_minute: int = 600,
        days: int | None = None,
    ) -> tuple[ApiToken, str]:
        """A new token and its text, which is kept nowhere. ``days``: until it expires; None:
        never. Raises ConfigError naming the field, Conflict (the name is or was taken)."""
        self._check_name(name)
        if not scopes:
            raise ConfigError("Choose at least one scope.", field="scopes")
        if sum(one.revoked_at is None for one in self._by_digest.values()) >= MOST_TOKENS:
            raise Conflict(f"There are {MOST_TOKENS} tokens already: revoke one first.")
        text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        now = self._books.clock.now()
        token = ApiToken(
            id=new_id(), name=name, digest=digest_of(text), created_at=now,
            scopes=tuple(scope for scope in Scope if scope in scopes),
            rate_per_minute=rate_per_minute,
            expires_at=None if days is None else now + timedelta(days=days),
        )  # fmt: skip
        with self._books.writing() as writing:
            writing.tx.tokens.add(token)
            writing.audit(
                actor, "token.create", name, scopes=[str(one) for one in token.scopes], days=days
            )
        self._put(token)
        return token, text

    def revoke(self, key: str, actor: str) -> ApiToken:
        """End a token, by id or name, at once and for good; one that is revoked stays so. Raises
        NotFound."""
        token = self._get(key)
        if token.revoked_at is not None:
            return token
        now = self._books.clock.now()
        with self._books.writing() as writing:
            revoked = writing.tx.tokens.get(token.id).model_copy(update={"revoked_at": now})
            writing.tx.tokens.save(revoked)
            writing.audit(actor, "token.revoke", token.name)
        self._put(revoked)
        return revoked

    # --- of the gate ----------------------------------------------------------------------------

    def find(self, text: str) -> ApiToken | None:
        """The token of this text, be it in force or not; from memory."""
        return self._by_digest.get(digest_of(text)) if text.startswith(PREFIX) else None

    def objection(self, token: ApiToken) -> str:
        """Why a token opens nothing (any more); empty when it does."""
        if self._by_digest.get(token.digest, token).revoked_at is not None:
            return "The API token was revoked; make a new one on the Settings page."
        if token.expires_at is not None and token.expires_at <= self._books.clock.now():
            return "The API token has expired; make a new one on the Settings page."
        return ""

    def note_use(self, token_id: str) -> None:
        """Remember that it was used now; ``keep_uses`` writes it down."""
        self._used[token_id] = self._books.clock.now()

    def keep_uses(self) -> None:
        """Write down when tokens were used last, each at most once a minute; for a thread."""
        due = {token_id: at for token_id, at in list(self._used.items())
               if self._is_due(token_id, at)}  # fmt: skip
        if not due:
            return
        with self._books.store.transaction() as tx:
            for token_id, at in due.items():
                kept = tx.tokens.find(token_id)
                if kept is not None:
                    tx.tokens.save(kept.model_copy(update={"last_used_at": at}))
        self._kept.update(due)

    # --- within ---------------------------------------------------------------------------------

    def _is_due(self, token_id: str, at: datetime) -> bool:
        kept = self._kept.get(token_id)
        return kept is None or abs(at - kept) >= USE_IS_KEPT_EVERY

    def _put(self, token: ApiToken) -> None:
        with self._lock:
            self._by_digest = {**self._by_digest, token.digest: token}

    def _as_used(self, token: ApiToken) -> ApiToken:
        used = self._used.get(token.id, token.last_used_at)
        return token.model_copy(update={"last_used_at": used})

    def _get(self, key: str) -> ApiToken:
        wanted = key.casefold()
        for token in self._by_digest.values():
            if token.id == key or token.name.casefold() == wanted:
                return token
        raise NotFound(f"There is no API token '{key}'.", field="token")

    def _check_name(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise ConfigError(
                "A name has 1 to 40 letters, digits, '.', '_' or '-', such as tablet-1.",
                field="name",
            )
        for token in self._by_digest.values():
            if token.name.casefold() == name.casefold():
                was = "There was" if token.revoked_at else "There is"
                raise Conflict(
                    f"{was} a token named '{token.name}' already: the audit trail knows it by that"
                    " name, so choose another.",
                    field="name",
                )


def digest_of(text: str) -> str:
    """SHA-256 of a token's text. It has 256 random bits: a slow hash would add nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
