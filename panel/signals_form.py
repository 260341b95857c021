"""The form's part about signals from outside: whether the bot listens, and what is asked of a
sender."""

import streamlit as st

from panel.bot_form import BotForm
from panel.format import duration
from panel.signals_draft import OUTSIDE_ONLY, SIGNATURES


def draw_signals(form: BotForm) -> None:
    """The switch; what it means only once it is on."""
    is_on = st.checkbox(
        "Listen to signals from outside", key=form.key("has_signals"),
        help="TradingView, MetaTrader or your own programs post what the bot is to do to an address"
        " of its own. Its stops, limits and the kill switch hold for what they ask, too.",
    )  # fmt: skip
    form.slot("signals")
    is_outside_only = st.session_state.get(form.key("strategy")) == OUTSIDE_ONLY
    if not is_on:
        if is_outside_only:
            st.warning(
                "The strategy Signals from outside decides nothing by itself: switch this on, or"
                " the bot never trades.",
                icon=":material/sensors_off:",
            )  # fmt: skip
        return
    _draw_sender(form)
    _draw_bounds(form)
    _draw_expected(form)
    also = "" if is_outside_only else " Its strategy goes on deciding beside them."
    st.caption(
        f"Its address and the alert message to paste are shown once it is created.{also}"
    )  # fmt: skip


def _draw_sender(form: BotForm) -> None:
    signature = st.selectbox(
        "Signature", list(SIGNATURES), key=form.key("signature"),
        format_func=lambda name: SIGNATURES[name],
        help="TradingView cannot sign; programs of your own can.",
    )  # fmt: skip
    form.slot("signals.signature")
    is_only = st.checkbox(
        "Only from TradingView's addresses", key=form.key("tradingview_only"),
        help="Behind a tunnel or a reverse proxy, name it under Trusted proxies in Settings: else"
        " every signal seems to come from it, and is refused.",
    )  # fmt: skip
    form.slot("signals.is_tradingview_only")
    if is_only and signature != "none":
        st.warning(
            "TradingView cannot sign its alerts: with a signature asked for, every one is refused.",
            icon=":material/key_off:",
        )


def _draw_bounds(form: BotForm) -> None:
    with st.grid(3, min_column_width=190, gap="small"):
        for label, name, field, words in (
            ("Longest lag (seconds)", "max_lag", "max_lag_s",
             "A signal that is older when its turn comes opens nothing; exits are still done."),
            ("Signals a minute", "signal_rate", "rate_per_minute", "More are refused."),
            ("The same again within (s)", "same_within", "same_within_s",
             "An equal body without an id or a time of its own counts as one signal."),
        ):  # fmt: skip
            with st.container(gap="xxsmall"):
                st.number_input(label, step=1, format="%d", key=form.key(name), help=words)
                form.slot(f"signals.{field}")


def _draw_expected(form: BotForm) -> None:
    is_expected = st.checkbox(
        "Alert me when signals stop coming", key=form.key("expects"),
        help="A missing signal is shown on the Inbox and the bot's page, and is an event.",
    )  # fmt: skip
    if is_expected:
        minutes = st.number_input(
            "Expect one at least every (minutes)", step=1.0, format="%g",
            key=form.key("expect_every"), width=240,
        )  # fmt: skip
        if minutes:
            st.caption(f"Missing once none came for {duration(minutes * 60)}.")
    form.slot("signals.expect_every_s")
