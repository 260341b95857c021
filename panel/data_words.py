"""What a bot sleeps for and lives on, in words. Pure."""

from datetime import UTC, datetime, timedelta

from engine.contracts import SECONDS, BotState, BotView
from panel.format import duration

LATE_CANDLES = 2
"""A newest candle that is so many candle lengths old, while the market is open, is late."""

LEAST_LATE = timedelta(seconds=10)


def sleep_words(bot: BotView) -> str:
    """``Sleeps until Fri 27 Nov 14:30 UTC (Fri 09:30 in New York): XNYS is closed (...)``; empty
    for a bot that is awake."""
    live = bot.live
    if bot.state is not BotState.SLEEPING or not live.sleeps_why:
        return ""
    if live.sleeps_until is None:
        return f"Sleeps until further notice: {live.sleeps_why}"
    local = f" ({live.sleeps_local})" if live.sleeps_local else ""
    at = live.sleeps_until.astimezone(UTC)
    return f"Sleeps until {at:%a %d %b %H:%M} UTC{local}: {live.sleeps_why}"


def data_words(bot: BotView, present: datetime) -> str:
    """What is wrong with the candles a bot decides on: another source, none, or old ones."""
    live = bot.live
    if live.data_error:
        return f"No candles: {live.data_error}"
    if live.source_words:
        return live.source_words
    if bot.state is not BotState.RUNNING or not live.is_market_open or not live.newest_candle_at:
        return ""
    age = present - live.newest_candle_at
    length = timedelta(seconds=SECONDS[bot.config.timeframe])
    # A bot that looks less often than a candle closes does not ask for the newest one.
    rhythm = max(length, timedelta(seconds=bot.config.interval_s))
    if age <= max(LATE_CANDLES * rhythm, LEAST_LATE):
        return ""
    return f"Its newest candle closed {duration(age.total_seconds())} ago"


def reason_words(bot: BotView) -> str:
    """Why the bot does what it does; of a sleeping bot, until when."""
    return sleep_words(bot) or bot.reason


def check_label(bot: BotView) -> str:
    """What the countdown of a bot counts down to."""
    return "Wakes in" if bot.state is BotState.SLEEPING and bot.live.sleeps_until else "Next check"
