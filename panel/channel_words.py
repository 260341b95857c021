"""Channels and deliveries in words: state, target, options, costs. Pure; HTML is escaped here."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape

from engine.contracts.alerts import (
    ChannelKind,
    ChannelSpend,
    ChannelTest,
    ChannelView,
    DeliveryState,
    Level,
    QuietHours,
)
from panel.format import NONE, ago, duration, now

STATES = {
    # the word, Streamlit's name of its colour, what it means
    DeliveryState.WAITING: ("waiting", "blue", "It goes when it is due."),
    DeliveryState.SENDING: ("sending", "blue", "It is on its way to the provider."),
    DeliveryState.SENT: ("sent", "green", "The provider has taken it."),
    DeliveryState.FAILED: ("failed", "red", "It was not sent, for the reason given."),
    DeliveryState.UNCERTAIN: (
        "uncertain", "orange", "It may have arrived, so it is not sent again by itself.",
    ),
    DeliveryState.DIGESTED: ("digested", "violet", "It was told in a message with others."),
    DeliveryState.DROPPED: (
        "dropped", "gray", "Its channel was deleted or disabled before it was sent.",
    ),
}  # fmt: skip
LEVEL_COLOURS = {
    Level.DEBUG: "gray", Level.INFO: "blue", Level.WARNING: "orange", Level.ERROR: "red",
}  # fmt: skip
ICONS = {
    ChannelKind.SMS: "sms", ChannelKind.TELEGRAM: "send", ChannelKind.EMAIL: "mail",
    ChannelKind.DISCORD: "forum", ChannelKind.APPRISE: "hub",
}  # fmt: skip
TARGETS = {
    # the field of the settings that says where it goes, after these words
    ChannelKind.SMS: ("to", "to"),
    ChannelKind.TELEGRAM: ("chat", "to chat"),
    ChannelKind.EMAIL: ("to", "to"),
    ChannelKind.DISCORD: ("username", "as"),
}


def state_words(channel: ChannelView) -> tuple[str, str]:
    """What a channel does now, and the colour of that."""
    if channel.trouble:
        return "cannot be used", "red"
    if not channel.is_enabled:
        return "off", "gray"
    if channel.last_error:
        return "in trouble", "red"
    return ("on", "green") if channel.kinds else ("tells nothing", "orange")


def next_step(channel: ChannelView) -> str:
    """What to do before it tells anything; empty when it does."""
    if channel.trouble:
        return ""
    if not channel.is_enabled:
        return "Off: it tells nothing until you enable it."
    return "" if channel.kinds else "It tells nothing yet: tick what it is to tell in the Matrix."


def head_html(channel: ChannelView) -> str:
    """Name, state, kind and where it goes."""
    words, colour = state_words(channel)
    target = target_words(channel)
    about = f"{channel.kind_title} · {target}" if target else channel.kind_title
    return (
        f'<div class="qd-account"><b>{escape(channel.name)}</b>'
        f'<span class="qd-state qd-{colour}">{words}</span>'
        f'<span class="qd-quiet">{escape(about)}</span></div>'
    )


def target_words(channel: ChannelView) -> str:
    """Where a channel's messages go, as far as that is no secret."""
    name, words = TARGETS.get(channel.kind, ("", ""))
    value = channel.settings.get(name, "")
    return f"{words} {value}" if value else ""


def said_html(test: ChannelTest) -> str:
    """What a provider said of credentials or of a test, in its own words, and what to do."""
    colour, words = ("green", "accepted") if test.is_ok else ("red", "refused")
    if test.state is not None:
        words, colour, _ = STATES[test.state]
    asked = f"Test, {ago(test.at, now())}" if test.at else "Check"
    answer = f"<q>{escape(test.answer)}</q>" if test.answer else "The provider said nothing."
    advice = f'<div class="qd-advice">{escape(test.error)}</div>' if test.error else ""
    cost = f" · {escape(sms_words(test))}" if test.segments else ""
    return (
        f'<ul class="qd-checks qd-test"><li><span class="qd-state qd-{colour}">{words}</span>'
        f'<span><span class="qd-quiet">{asked}{cost}</span><br>{answer}{advice}</span></li></ul>'
    )


def sms_words(sent: ChannelTest) -> str:
    """Segments of an SMS and what they cost."""
    return f"{counted(sent.segments, 'segment')}, {cost_words(sent.cost)}"


def cost_words(cost: Decimal | None) -> str:
    """A cost in US dollars, or that it is not known."""
    return "cost not known" if cost is None else dollars(cost)


def dollars(amount: Decimal | None) -> str:
    """US dollars with at least two decimals, at most four: a segment costs less than a cent."""
    if amount is None:
        return NONE
    if 0 < amount < Decimal("0.0001"):
        return "< $0.0001"
    whole, _, decimals = f"{amount:,.4f}".partition(".")
    return f"${whole}.{decimals.rstrip('0').ljust(2, '0')}"


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of those that are known; None where none is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def counted(count: int, noun: str) -> str:
    """``1 segment``, ``2 segments``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def option_words(channel: ChannelView, bots: Mapping[str, str]) -> str:
    """A channel's options in one line; ``bots`` are their names by id."""
    told = [bots.get(bot_id, "one that is gone") for bot_id in channel.bots]
    parts = [
        f"tells {counted(len(channel.kinds), 'kind')}",
        f"of {list_words(told)} only" if told else "of all bots",
        quiet_words(channel.quiet),
        f"at most {channel.most_per_minute:,} a minute",
        f"more than {channel.digest_above:,} in {duration(channel.digest_window_s)}: one message",
    ]
    if channel.escalate_to:
        name = channel.escalate_to_name or "a channel that is gone"
        parts.append(f"after {duration(channel.escalate_after_s)} also through {name}")
    if channel.segment_price is not None:
        parts.append(f"a segment costs {dollars(channel.segment_price)}")
    return " · ".join(part for part in parts if part)


def list_words(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def quiet_words(quiet: QuietHours | None) -> str:
    """When a channel is silent; empty: never."""
    if quiet is None:
        return ""
    errors = ", but for errors" if quiet.lets_errors else ""
    return f"quiet {quiet.start:%H:%M} to {quiet.end:%H:%M} {quiet.zone}{errors}"


def spend_words(spend: ChannelSpend | None) -> str:
    """What went out through a channel in this month."""
    if spend is None or not spend.sent_month:
        return "nothing yet"
    if not spend.segments_month:
        return counted(spend.sent_month, "message")
    return f"{counted(spend.segments_month, 'segment')}, {cost_words(spend.cost_month)}"


def last_words(channel: ChannelView) -> str:
    """When it last got something through."""
    return ago(channel.last_sent_at, now()) if channel.last_sent_at else "never"
