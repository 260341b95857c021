"""Numbers, times and states as a person reads them. Pure: text in, text out.

A sign is always written, never told by colour alone; a missing value is an en dash.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal

from engine.contracts import BotState, BotView, Desired

NONE = "\u2013"
MINUS = "\u2212"
CENT_ASSETS = frozenset(
    {"USD", "USDT", "USDC", "FDUSD", "TUSD", "DAI", "EUR", "GBP", "CHF", "AUD", "CAD", "NZD", "INR"}
)
"""Quote assets whose amounts are read in cents."""

EXIT_WORDS = {"signal": "strategy signal", "stop": "bot stopped", "kill": "kill switch"}


# --- numbers
def money(amount: Decimal | None, quote: str = "", *, is_signed: bool = False) -> str:
    """An amount with its asset: ``1,234.50 USDT``. Small amounts keep two significant digits."""
    number = figure(amount, quote, is_signed=is_signed)
    return f"{number} {quote}" if quote and amount is not None else number


def figure(amount: Decimal | None, quote: str = "", *, is_signed: bool = False) -> str:
    """An amount as ``money`` writes it, without its asset: for where a label names it."""
    if amount is None:
        return NONE
    body = f"{abs(amount):,.{_money_decimals(amount, quote)}f}"
    return f"{_sign(amount, is_signed=is_signed)}{body}"


def price(value: Decimal | float | None) -> str:
    """A price with its digits, at least two decimals and at most eight: ``64,250.10``."""
    return NONE if value is None else _trimmed(Decimal(str(value)), least=2)


def quantity(value: Decimal | float | None) -> str:
    """A quantity with its digits, at most eight decimals."""
    return NONE if value is None else _trimmed(Decimal(str(value)))


def percent(fraction: Decimal | float | None, *, is_signed: bool = False) -> str:
    """A fraction as percent with two decimals: 0.0213 gives ``2.13 %``."""
    if fraction is None:
        return NONE
    exact = Decimal(str(fraction)) * 100
    return f"{_sign(exact, is_signed=is_signed)}{abs(exact):,.2f} %"


def colour(amount: Decimal | float | None) -> str:
    """Streamlit's name of the colour of a gain or a loss: green, red or gray."""
    if not amount:
        return "gray"
    return "green" if amount > 0 else "red"


def coloured(text: str, amount: Decimal | float | None) -> str:
    """``text`` as Streamlit markdown in the colour of ``amount``."""
    return f":{colour(amount)}[{text}]"


def _money_decimals(amount: Decimal, quote: str) -> int:
    """Cents where cents are read, more for what is less than a cent; five digits of a coin."""
    if quote in CENT_ASSETS or not quote:
        return 2 if amount == 0 else max(2, min(8, 1 - amount.adjusted()))
    return max(4, min(8, 4 - amount.adjusted())) if amount else 4


def _sign(amount: Decimal, *, is_signed: bool) -> str:
    if amount < 0:
        return MINUS
    return "+" if is_signed and amount > 0 else ""


def _trimmed(value: Decimal, least: int = 0) -> str:
    whole, _, decimals = f"{abs(value):,.8f}".partition(".")
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{_sign(value, is_signed=False)}{whole}{f'.{decimals}' if decimals else ''}"


# --- times
def now() -> datetime:
    """The present moment, aware UTC."""
    return datetime.now(UTC)


def moment(at: datetime | None) -> str:
    """Date and time in UTC to the second: ``2026-11-21 07:25:03``."""
    return NONE if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def short_moment(at: datetime) -> str:
    """Month, day and time in UTC, for narrow tables: ``11-21 07:25:03``."""
    return f"{at.astimezone(UTC):%m-%d %H:%M:%S}"


def clock(at: datetime | None) -> str:
    """Time of day in UTC: ``07:25:03``."""
    return NONE if at is None else f"{at.astimezone(UTC):%H:%M:%S}"


def duration(seconds: float | None) -> str:
    """A span in its two largest units: ``3 d 4 h``, ``1 h 5 min``, ``42 s``."""
    if seconds is None:
        return NONE
    left = round(max(0.0, seconds))
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def ago(at: datetime | None, present: datetime) -> str:
    """How long before ``present``: ``42 s ago``."""
    return NONE if at is None else f"{duration((present - at).total_seconds())} ago"


def countdown(until: datetime | None, present: datetime) -> str:
    """Time left as ``4:59``, ``1:02:03`` or ``2 d 14 h``; ``now`` once it has come."""
    if until is None:
        return NONE
    left = round((until - present).total_seconds())
    if left <= 0:
        return "now"
    minutes, seconds = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def every(seconds: int) -> str:
    """A check interval in words: ``every 15 min``, ``every second``."""
    return "every second" if seconds == 1 else f"every {duration(seconds)}"


# --- words
def state_of(bot: BotView) -> str:
    """What a bot is doing; a wish not taken up by the engine yet counts as under way."""
    if bot.desired is Desired.RUNNING and bot.state in (BotState.STOPPED, BotState.PAUSED):
        return "starting"
    if bot.desired is Desired.PAUSED and bot.state is BotState.RUNNING:
        return "pausing"
    if bot.desired is Desired.STOPPED and bot.state in (
        BotState.STARTING, BotState.RUNNING, BotState.PAUSED, BotState.SLEEPING,
    ):  # fmt: skip
        return "stopping"
    return bot.state.value


TRANSIENT = frozenset({"starting", "stopping", "pausing"})
"""States on the way to another."""

STATE_COLOURS = {
    "starting": "blue", "running": "green", "pausing": "orange", "paused": "orange",
    "sleeping": "violet", "stopping": "blue", "stopped": "gray", "faulted": "red",
}  # fmt: skip


def state_colour(state: str) -> str:
    """Streamlit's name of the colour of a bot's state."""
    return STATE_COLOURS.get(state, "gray")


def exit_words(reason: str) -> str:
    """An exit reason in words: ``take_profit`` gives ``take profit``."""
    return EXIT_WORDS.get(reason, reason.replace("_", " "))


def escape(text: str) -> str:
    """``text`` with everything that markdown would read as markup taken literally."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:])", r"\\\1", text)


def escape_label(text: str) -> str:
    """``text`` as a widget's label: only what is markup within a line is escaped, for whoever has
    the page read aloud hears the label as it is written."""
    return re.sub(r"([\\`*_\[\]$:<~])", r"\\\1", text)
