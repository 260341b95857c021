"""The part of the bot form about sleep: the market's hours, the bot's own, and the night."""

import functools
from zoneinfo import available_timezones

import streamlit as st

from engine.contracts import WEEKDAYS
from panel.bot_form import BotForm

FIRST_ZONES = (
    "UTC", "America/New_York", "Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Hong_Kong",
    "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip
OVERNIGHT = {"keep": "Keep", "close": "Close before the end"}


@functools.cache
def time_zones() -> list[str]:
    """All of them, those of the larger exchanges first."""
    return [*FIRST_ZONES, *sorted(available_timezones() - set(FIRST_ZONES))]


def draw_sleep(form: BotForm) -> None:
    """When the bot sleeps, and what becomes of its position then."""
    with st.expander("Sleep: market hours, own hours, over night"):
        st.checkbox(
            "Sleep while the market is closed", key=form.key("follow_market"),
            help="Stocks and currencies have hours, holidays and half-days; crypto never closes.",
        )  # fmt: skip
        form.slot("follow_market")
        _draw_hours(form)
        left, right = st.columns(2, gap="small")
        with left:
            kind = st.segmented_control(
                "Over night", list(OVERNIGHT), key=form.key("overnight"), required=True,
                format_func=lambda name: OVERNIGHT[name],
                help="What becomes of a position when the bot goes to sleep",
            )  # fmt: skip
            form.slot("overnight")
            if kind == "close":
                st.number_input(
                    "Minutes before the end", min_value=1, max_value=240, step=1,
                    key=form.key("close_before"),
                    help="Before the real close: earlier on a half-day. Nothing is entered after.",
                )  # fmt: skip
                form.slot("close_before_min")
        with right:
            st.number_input(
                "Wake lead (minutes)", min_value=0, max_value=240, step=1,
                key=form.key("wake_lead"),
                help="So long before it wakes its candles are asked for",
            )  # fmt: skip
            form.slot("wake_lead_min")


def _draw_hours(form: BotForm) -> None:
    if st.checkbox("Only at some hours", key=form.key("has_hours")):
        with st.grid(3, min_column_width=140, gap="small"):
            st.time_input("From", key=form.key("hours_start"))
            st.time_input("To", key=form.key("hours_end"))
            st.selectbox("Time zone", time_zones(), key=form.key("hours_zone"))
        st.pills(
            "Days (none: every day)", [day.value for day in WEEKDAYS], selection_mode="multi",
            key=form.key("hours_days"), format_func=str.capitalize,
        )  # fmt: skip
    form.slot("active_hours")
