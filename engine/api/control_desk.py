"""Controls and limits for the API: what a person names is found, or refused in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.contracts import ControlRequest, KillSwitch, LimitUsage, ScopeKind
from engine.domain.controls import scope_of
from engine.errors import ConfigError, NotFound
from engine.ports import Venues
from engine.services.books import Books
from engine.services.controls import Controls
from engine.services.gateway import Gateway

LONGEST_SYMBOL = 40


@dataclass(frozen=True)
class ControlDesk:
    """Sets controls on what there is, and says how far the limits are used."""

    books: Books
    venues: Venues
    controls: Controls
    gateway: Gateway

    def switches(self) -> Sequence[KillSwitch]:
        """Every control in force."""
        return self.controls.switches

    def set_control(self, request: ControlRequest, actor: str) -> KillSwitch:
        """Latch or release one. Raises NotFound, ConfigError naming ``key``."""
        key = self._find(request.scope, request.key.strip())
        return self.controls.set(request.level, actor, request.scope, key, request.reason.strip())

    def usage(self) -> Sequence[LimitUsage]:
        """What is used of each limit that is set."""
        return self.gateway.usage()

    def _find(self, scope: ScopeKind, key: str) -> str:
        if (scope, key) in {scope_of(one) for one in self.controls.switches}:
            return key  # released even when its bot is gone
        if scope is ScopeKind.BOT and key:
            bot = self.books.bots.get(key) or self.books.find_by_name(key)
            if bot is None:
                raise NotFound(f"There is no bot '{key}'.", field="key")
            return bot.id
        if scope is ScopeKind.ACCOUNT and key and key not in self._accounts():
            raise NotFound(f"There is no account '{key}'.", field="key")
        if scope is ScopeKind.SYMBOL and len(key) > LONGEST_SYMBOL:
            raise ConfigError(f"A symbol has at most {LONGEST_SYMBOL} letters.", field="key")
        return key

    def _accounts(self) -> set[str]:
        """Those that were ever in use, and those of the markets that are offered."""
        used = {bot.account_id for bot in list(self.books.bots.values())} | set(self.books.accounts)
        offered = self.venues.market_ids()
        return used | {
            self.venues.account_of(market_id, "")
            for market_id in offered
            if not self.venues.is_stepped(market_id)
        }
