"""How often channels may send: counted in memory over a moving minute by ``limits``."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from limits import RateLimitItemPerMinute
from limits.strategies import RateLimiter

from engine.domain.alerts import Channel, ChannelKind
from engine.services.outbox import Outbox

MINUTE = timedelta(minutes=1)

ACCOUNT_FIELDS = {ChannelKind.SMS: ("account_sid",), ChannelKind.EMAIL: ("host", "user")}
"""What names a provider's account among a channel's settings; other kinds have one each."""


class SendRates:
    """A channel's own rate, and that of its account at the provider, which is shared with the other
    channels of it: as much as the fastest of them may. Thread-safe."""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter

    def recall(self, outbox: Outbox, now: datetime) -> None:
        """Count what an engine before this one sent within the last minute: one that is started
        again and again sends no faster. Raises StoreError."""
        sent, channels = outbox.sent_since(now - MINUTE)
        for channel in sent:
            self.take(channel, channels)

    def take(self, channel: Channel, channels: Sequence[Channel]) -> bool:
        """Count a message, unless it would be one too many: then it has to wait."""
        account = account_of(channel)
        shared = [one.most_per_minute for one in channels if account_of(one) == account]
        of_account = RateLimitItemPerMinute(max([channel.most_per_minute, *shared]))
        of_channel = RateLimitItemPerMinute(channel.most_per_minute)
        if not self._limiter.test(of_account, "account", account):
            return False
        if not self._limiter.hit(of_channel, "channel", channel.id):
            return False
        return self._limiter.hit(of_account, "account", account)


def account_of(channel: Channel) -> str:
    """Names the account at a provider that a channel sends by."""
    fields = ACCOUNT_FIELDS.get(channel.kind)
    if fields is None:
        return channel.id
    return ":".join((channel.kind, *(channel.settings.get(name, "") for name in fields)))
