"""Channels that do not get through: said once for as long as the reason stays, over restarts."""

import re

from engine.domain.alerts import Channel
from engine.domain.records import Level
from engine.ports import Transaction
from engine.services.books import Books, Writing
from engine.services.route_alerts import FAILED_CHANNEL

PREFIX = "alerts.trouble."
MOST_REASON = 300


class ChannelTroubles:
    """What was said of which channel; kept, so that a restart does not say it again. Blocking."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def tell(self, writing: Writing, channel: Channel, reason: str) -> None:
        """Record an event, which is an alert for the other channels, unless it was told. Numbers
        in a reason do not make it another one: some count seconds."""
        key, sign = PREFIX + channel.id, _sign(reason)
        if writing.tx.find_setting(key) == sign:
            return
        writing.tx.put_setting(key, sign)
        writing.event(
            Level.ERROR, "channel.failed",
            f"Alerts do not get through '{channel.name}': {reason}",
            **{FAILED_CHANNEL: channel.id, "channel": channel.name},
        )  # fmt: skip

    def tell_now(self, channel: Channel, reason: str) -> None:
        """The same in a transaction of its own."""
        with self._books.store.reading() as tx:
            if tx.find_setting(PREFIX + channel.id) == _sign(reason):
                return
        with self._books.writing() as writing:
            self.tell(writing, channel, reason)

    def end(self, tx: Transaction, channel_id: str) -> None:
        """It gets through: the next failure is a new one."""
        if tx.find_setting(PREFIX + channel_id):
            tx.put_setting(PREFIX + channel_id, "")


def _sign(reason: str) -> str:
    return re.sub(r"\d+", "#", reason)[:MOST_REASON]
