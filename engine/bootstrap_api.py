"""What the API has for other programs: tokens, the live stream, the short addresses."""

import asyncio
from dataclasses import dataclass

from engine.api.thin_desk import ThinDesk
from engine.api.token_desk import TokenDesk
from engine.bootstrap_core import Core
from engine.services.api_tokens import ApiTokens
from engine.services.feed_calls import FeedCalls
from engine.services.live_bus import LiveBus
from engine.services.login_failures import LoginFailures
from engine.services.send_alert import SendAlert

LANE = "api"


@dataclass(frozen=True)
class ForPrograms:
    """Its desks; ``begin`` once the books are loaded, ``keep`` now and then."""

    core: Core
    tokens: TokenDesk
    thin: ThinDesk
    live: LiveBus

    def begin(self) -> None:
        """Take up what is stored, and listen from now on."""
        self.tokens.tokens.load()
        self.live.begin(self.core.books.bots.values())
        self.core.books.listen(self.live.on_commit)
        self.core.prices.listen(self.live.on_price)

    async def keep(self) -> None:
        """Have written down what the gate has noted."""
        if not self.core.lanes.backlog(LANE):
            await self.core.lanes.run(LANE, self.tokens.keep)


def build_for_programs(core: Core, loop: asyncio.AbstractEventLoop) -> ForPrograms:
    """Build it."""
    feed = core.feed
    return ForPrograms(
        core=core,
        tokens=TokenDesk(ApiTokens(core.books), LoginFailures(core.books)),
        thin=ThinDesk(
            core.books, core.venues, SendAlert(core.books), FeedCalls(feed, loop).ask,
            lambda *key: feed.find(*key) is not None,
        ),
        live=LiveBus(),
    )  # fmt: skip
