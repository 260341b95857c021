"""Whether a request may pass: its token, the scope of its route, and its rate."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.api.principals import MachineToken, Principal, bearer, machine, owner_of
from engine.api.rates import Rates
from engine.api.scopes import RouteRule
from engine.api.token_desk import TokenServices
from engine.domain.tokens import Scope

WRONG_TOKENS_PER_MINUTE = 30
"""Of one address. More are told to wait; who has a right token is let in all the same, or else
anybody on this machine could lock the panel out."""

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="quarterdeck"'}


@dataclass(frozen=True)
class Refusal:
    """An answer in the router's stead."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    who: Principal | None = None


class Doorkeeper:
    """Judges by headers and address alone: no body is read for who may not ask. On the loop."""

    def __init__(self, tokens: TokenServices, token: str, rate_per_minute: int) -> None:
        self._tokens = tokens
        self._machine_token = MachineToken(token)
        self._machine = machine(rate_per_minute)
        self._rates = Rates()

    async def judge(
        self, authorization: str, actor: str, address: str, rule: RouteRule | None
    ) -> Principal | Refusal:
        """Who it is, if it may pass. ``actor`` is what the client calls itself, ``rule`` that of
        the route; None where there is none."""
        who = await self._identify(bearer(authorization), address)
        if isinstance(who, Refusal):
            return who
        if rule is None and not who.may(Scope.ADMIN):  # were it a route that no table knows
            return Refusal(404, "not_found", "There is nothing at this address.", who=who)
        if rule is not None and rule.scope is not None and not who.may(rule.scope):
            return Refusal(
                403, "forbidden",
                f"This token may not do that: it lacks the scope '{rule.scope}'.", who=who,
            )  # fmt: skip
        if rule is None or rule.is_limited:
            wait_s = await self._rates.take(who.bucket(actor), who.rate_per_minute)
            if wait_s:
                return too_many(
                    f"More than {who.rate_per_minute} requests a minute; ask again in {wait_s} s.",
                    wait_s, who,
                )  # fmt: skip
        if who.token is not None:
            self._tokens.note_use(who.token.id)
        return who

    async def _identify(self, text: str, address: str) -> Principal | Refusal:
        if not text:
            return _unauthorized("The API token is missing or wrong.")
        if self._machine_token.is_same(text):
            return self._machine
        token = self._tokens.find(text)
        objection = "The API token is missing or wrong."
        if token is not None:
            objection = self._tokens.objection(token)
            if not objection:
                return owner_of(token)
        self._tokens.note_failure(address)
        wait_s = await self._rates.take(f"wrong:{address}", WRONG_TOKENS_PER_MINUTE)
        if wait_s:
            return too_many(f"Too many wrong tokens; ask again in {wait_s} s.", wait_s)
        return _unauthorized(objection)


def too_many(message: str, wait_s: int, who: Principal | None = None) -> Refusal:
    """Ask later."""
    return Refusal(429, "rate_limited", message, {"Retry-After": str(wait_s)}, who)


def _unauthorized(message: str) -> Refusal:
    return Refusal(401, "unauthorized", message, CHALLENGE)
