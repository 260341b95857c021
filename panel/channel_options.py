"""A channel's options: whose alerts it tells, when it is silent, how much, and who stands in."""

from collections.abc import Mapping, Sequence
from datetime import time
from decimal import Decimal
from typing import Any

import streamlit as st

from engine.contracts.alerts import ChannelKind, ChannelView
from panel.channel_form import Slots, keep_slot
from panel.sleep_form import time_zones

NOBODY = ""
NIGHT = time(22), time(7)


def load_options(channel: ChannelView, prefix: str) -> None:
    """Fill the widgets with what a channel has, unless they are filled already."""
    quiet = channel.quiet
    values: dict[str, Any] = {
        "bots": list(channel.bots),
        "is_quiet": quiet is not None,
        "start": quiet.start if quiet else NIGHT[0],
        "end": quiet.end if quiet else NIGHT[1],
        "zone": quiet.zone if quiet else "UTC",
        "lets_errors": quiet.lets_errors if quiet else True,
        "most_per_minute": channel.most_per_minute,
        "digest_above": channel.digest_above,
        "digest_window_s": channel.digest_window_s,
        "escalate_to": channel.escalate_to,
        "escalate_after_s": channel.escalate_after_s,
        "segment_price": None if channel.segment_price is None else float(channel.segment_price),
    }
    for name, value in values.items():
        st.session_state.setdefault(f"{prefix}{name}", value)


def draw_options(
    channel: ChannelView, others: Mapping[str, str], bots: Mapping[str, str], prefix: str,
    slots: Slots,
) -> None:  # fmt: skip
    """The widgets. ``others`` are names of the channels that can stand in, ``bots`` of all bots,
    each by id; a bot that is gone is let go of when the options are saved."""
    key = f"{prefix}bots"
    st.session_state[key] = [bot_id for bot_id in st.session_state[key] if bot_id in bots]
    st.multiselect(
        "Only of these bots", list(bots), key=key, placeholder="All bots",
        format_func=lambda bot_id: bots[bot_id],
        help="What is of no bot, as the engine's own alerts, is told in any case",
    )  # fmt: skip
    keep_slot(slots, "bots")
    _draw_quiet(prefix, slots)
    _draw_pace(prefix, slots)
    _draw_escalation(others, prefix, slots)
    if channel.kind is ChannelKind.SMS:
        st.number_input(
            "Price of a segment (US dollars)", key=f"{prefix}segment_price", value=None,
            min_value=0.0, max_value=100.0, step=0.0001, format="%.4f", placeholder="not known",
            help="To count costs where Twilio does not tell them; see its price list for your"
            " country",
        )  # fmt: skip
        keep_slot(slots, "segment_price")


def _draw_quiet(prefix: str, slots: Slots) -> None:
    if st.checkbox("Quiet hours", key=f"{prefix}is_quiet",
                   help="What comes meanwhile is told at their end"):  # fmt: skip
        with st.grid(3, min_column_width=120, gap="small"):
            st.time_input("From", key=f"{prefix}start")
            st.time_input("To", key=f"{prefix}end")
            st.selectbox("Time zone", time_zones(), key=f"{prefix}zone")
        st.checkbox("Errors are told at once", key=f"{prefix}lets_errors")
    keep_slot(slots, "quiet", "quiet.start", "quiet.end", "quiet.zone")


def _draw_pace(prefix: str, slots: Slots) -> None:
    with st.grid(3, min_column_width=120, gap="small"):
        for label, name, most, about in (
            ("Most a minute", "most_per_minute", 600, "More messages than this wait"),
            ("Digest above", "digest_above", 1_000,
             "More alerts than this within the time beside are told in one message"),
            ("within (seconds)", "digest_window_s", 86_400, "For the digest"),
        ):  # fmt: skip
            with st.container(gap="xxsmall"):
                st.number_input(
                    label, key=f"{prefix}{name}", min_value=5 if name.endswith("_s") else 1,
                    max_value=most, step=1, help=about,
                )  # fmt: skip
                keep_slot(slots, name)


def _draw_escalation(others: Mapping[str, str], prefix: str, slots: Slots) -> None:
    key = f"{prefix}escalate_to"
    options = [NOBODY, *others]
    if st.session_state[key] not in options:
        st.session_state[key] = NOBODY
    left, right = st.columns(2, gap="small")
    with left:
        st.selectbox(
            "If it fails, tell", options, key=key,
            format_func=lambda one: others.get(one, "nobody else"),
            help="Warnings and errors that do not get through are told there as well",
        )  # fmt: skip
        keep_slot(slots, "escalate_to")
    with right:
        st.number_input(
            "after (seconds)", key=f"{prefix}escalate_after_s", min_value=10, max_value=86_400,
            step=10, disabled=st.session_state[key] == NOBODY,
        )  # fmt: skip
        keep_slot(slots, "escalate_after_s")


def read_options(channel: ChannelView, prefix: str) -> dict[str, Any]:
    """The options as they are set, for ``change_channel``."""
    state = st.session_state

    def given(name: str) -> Any:
        return state[f"{prefix}{name}"]

    names = ("most_per_minute", "digest_above", "digest_window_s", "escalate_to")
    found: dict[str, Any] = {name: given(name) for name in names}
    found["bots"] = list(given("bots"))
    found["quiet"] = _quiet(prefix) if given("is_quiet") else None
    if found["escalate_to"]:
        found["escalate_after_s"] = given("escalate_after_s")
    if channel.kind is ChannelKind.SMS:
        price = given("segment_price")
        found["segment_price"] = None if price is None else Decimal(repr(price))
    return found


def _quiet(prefix: str) -> dict[str, Any]:
    names: Sequence[str] = ("start", "end", "zone", "lets_errors")
    return {name: st.session_state[f"{prefix}{name}"] for name in names}
