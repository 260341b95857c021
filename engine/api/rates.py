"""How often somebody may ask: counted in memory over a sliding minute by ``limits``."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter


class Rates:
    """Counters by name; only on the event loop."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def take(self, name: str, per_minute: int) -> int:
        """Count one. Zero when it is within the rate; else the seconds until the next may be."""
        item = RateLimitItemPerMinute(per_minute)
        if await self._limiter.hit(item, name):
            return 0
        window = await self._limiter.get_window_stats(item, name)
        return min(60, max(1, math.ceil(window.reset_time - time.time())))
