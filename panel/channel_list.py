"""The channels, live: what each tells, whether it gets through, its buttons."""

from collections.abc import Mapping, Sequence

import streamlit as st

from engine.contracts import BotView
from engine.contracts.alerts import ChannelSpend, ChannelTest, ChannelView, DeliveryFilter
from panel.asked import open_soon
from panel.channel_dialogs import (
    DELETE,
    DISABLE,
    EDIT,
    NEW,
    OPTIONS,
    ask_about,
)
from panel.channel_words import (
    ICONS,
    head_html,
    last_words,
    next_step,
    option_words,
    said_html,
    spend_words,
)
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.figures import Figure, draw_figures
from panel.format import escape
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness

CHECKS = "channels:checks"
"""What providers said of credentials in this session, by channel: shown until the next test."""

SPENT_TTL_S = 15.0

NO_CHANNEL = (
    "No channel yet, so nobody is told anything. Add one: SMS, Telegram, email, Discord, or any"
    " service that Apprise knows."
)


def draw_channels(panel: ControlPanel, bots: Sequence[BotView]) -> None:
    """The button that adds one, and every channel."""
    st.button("Add a channel", icon=":material/add:", key="channel_new", type="primary",
              on_click=ask_about, args=(NEW,))  # fmt: skip
    _live_channels(panel, {bot.id: bot.config.name for bot in bots})


@st.fragment(run_every=REFRESH_S)
def _live_channels(panel: ControlPanel, bots: Mapping[str, str]) -> None:
    show_outcomes()
    open_soon()
    try:
        snapshot = latest("channels", panel.channels)
        spent = latest("channels:spent", lambda: _spent(panel, panel.url)).value
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    if not snapshot.value:
        st.info(NO_CHANNEL, icon=":material/notifications_off:")
        return
    with st.grid(2, min_column_width=330, gap="small"):
        for channel in snapshot.value:
            with st.container(border=True, key=f"qd-channel-{channel.id}", gap="small"):
                _draw_channel(panel, channel, spent.get(channel.id), bots)


def _draw_channel(
    panel: ControlPanel, channel: ChannelView, spend: ChannelSpend | None, bots: Mapping[str, str]
) -> None:
    st.html(head_html(channel))
    if channel.trouble:
        st.error(escape(channel.trouble), icon=":material/key_off:")
    elif step := next_step(channel):
        st.warning(step, icon=":material/notifications_off:")
    draw_figures(
        (
            Figure("Last sent", last_words(channel)),
            Figure("Today (UTC)", f"{spend.sent_today if spend else 0:,}"),
            Figure("This month", spend_words(spend)),
            Figure("Waiting", f"{channel.waiting:,}"),
        )
    )
    if channel.last_error:
        st.error(f"Its newest message: {escape(channel.last_error)}", icon=":material/sms_failed:")
    if said := _checks().get(channel.id) or channel.last_test:
        st.html(said_html(said))
    st.caption(escape(option_words(channel, bots)))
    _draw_buttons(panel, channel)


def _draw_buttons(panel: ControlPanel, channel: ChannelView) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Test", icon=f":material/{ICONS[channel.kind]}:", key=f"test-{channel.id}",
            on_click=_test, args=(panel, channel),
            help="Sends a test message now, and shows what the provider answers",
        )  # fmt: skip
        st.button(
            "Check", icon=":material/network_check:", key=f"check-{channel.id}",
            on_click=_check, args=(panel, channel),
            help="Asks the provider about the credentials, and sends nothing",
        )  # fmt: skip
        for verb, icon in ((EDIT, "edit"), (OPTIONS, "tune")):
            st.button(
                verb, icon=f":material/{icon}:", key=f"{verb}-{channel.id}",
                on_click=ask_about, args=(verb, channel.id),
            )  # fmt: skip
        if channel.is_enabled:
            st.button(
                DISABLE, icon=":material/notifications_off:", key=f"{DISABLE}-{channel.id}",
                on_click=ask_about, args=(DISABLE, channel.id),
            )  # fmt: skip
        else:
            st.button(
                "Enable", icon=":material/check:", key=f"Enable-{channel.id}",
                on_click=_enable, args=(panel, channel),
            )  # fmt: skip
        st.button(
            DELETE, icon=":material/delete:", key=f"{DELETE}-{channel.id}",
            on_click=ask_about, args=(DELETE, channel.id),
        )  # fmt: skip


@st.cache_data(ttl=SPENT_TTL_S, show_spinner=False, max_entries=10)
def _spent(_panel: ControlPanel, url: str) -> dict[str, ChannelSpend]:
    """By channel; the engine counts a whole month for it."""
    found = _panel.deliveries(DeliveryFilter(limit=1)).spent
    return {one.channel_id: one for one in found}


def _checks() -> dict[str, ChannelTest]:
    found: dict[str, ChannelTest] = st.session_state.setdefault(CHECKS, {})
    return found


def _test(panel: ControlPanel, channel: ChannelView) -> None:
    """A callback. What came of it is the channel's last test."""
    _checks().pop(channel.id, None)
    _spent.clear()
    attempt(lambda: panel.test_channel(channel.id))


def _check(panel: ControlPanel, channel: ChannelView) -> None:
    """A callback."""

    def ask() -> None:
        _checks()[channel.id] = panel.verify_channel(channel.id)

    attempt(ask)


def _enable(panel: ControlPanel, channel: ChannelView) -> None:
    """A callback."""
    attempt(
        lambda: panel.change_channel(channel.id, {"is_enabled": True}),
        f"{channel.name} tells from now on.",
    )
