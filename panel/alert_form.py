"""The form that writes an alert message, and the check of what a message would be understood as."""

import streamlit as st

from engine.contracts import BotView
from engine.contracts.messages import MessageReading, ReadRequest
from engine.contracts.signals import SignalAction
from panel.alert_draft import (
    EXPECTED,
    INDICATOR,
    KINDS,
    LEVELS,
    NO_LEVEL,
    ONCE,
    QUANTITIES,
    STRATEGY,
    TEXT,
    AlertDraft,
    alert_message,
    quantities_of,
)  # fmt: skip
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape, now
from panel.layout import show_error
from panel.placeholders import filled, unknown
from panel.signal_sender import content_type_of
from panel.signal_words import order_words

PREFIX = "alert_"
CHECKED = f"{PREFIX}checked"
ABOUT = {
    STRATEGY: "One alert for a whole strategy: the bot follows its position, long, short or flat.",
    INDICATOR: "One alert for one wish, fired by an indicator, a line or a price.",
    TEXT: "The same wish as a line of words.",
}
NUMBER_HELP = "A number, or a placeholder such as {{plot_0}} that becomes one"


def draw_message(panel: ControlPanel, bot: BotView) -> None:
    """What the alert is to do, the message for that, and how it reads."""
    message = alert_message(_ask(bot))
    st.caption("Paste this into the alert's Message:")
    st.code(message, language=None, wrap_lines=True)
    _draw_reading(panel, message, bot.config.symbol.replace("/", ""))


def _ask(bot: BotView) -> AlertDraft:
    kind = st.segmented_control("Kind of alert", KINDS, key=f"{PREFIX}kind", default=STRATEGY,
                                required=True)  # fmt: skip
    st.caption(ABOUT[kind])
    action, side, once = AlertDraft().action, AlertDraft().side, AlertDraft().once
    if kind != STRATEGY:
        with st.container(horizontal=True, gap="medium"):
            action = st.segmented_control(
                "It is to", [one.value for one in SignalAction], key=f"{PREFIX}action",
                default=action, required=True, format_func=str.capitalize,
            )  # fmt: skip
            if action != SignalAction.FLAT:
                side = st.segmented_control("Side", ("long", "short"), key=f"{PREFIX}side",
                                            default=side, required=True,
                                            format_func=str.capitalize)  # fmt: skip
            once = st.segmented_control(
                "Counts as one signal", list(ONCE), key=f"{PREFIX}once", default=once,
                required=True, format_func=ONCE.__getitem__,
                help="TradingView may deliver one firing several times; that is one signal anyhow."
                " Once a bar: an alert that fires again within the same bar is the same, too.",
            )  # fmt: skip
    quantity, size = _ask_size(kind, action, bot)
    stop, stop_at = _ask_level("Stop", "stop")
    target, target_at = _ask_level("Target", "target")
    offered = [one for one in EXPECTED if kind == STRATEGY or one != "strategy"]
    expected = st.selectbox(
        "Only if the bot's position is", offered, key=f"{PREFIX}expected_{kind == STRATEGY}",
        format_func=EXPECTED.__getitem__, width=320,
        help="Else the signal is held: bot and sender do not agree about where they are.",
    )  # fmt: skip
    return AlertDraft(kind, action, side, quantity, size, stop, stop_at, target, target_at,
                      expected, once)  # fmt: skip


def _ask_size(kind: str, action: str, bot: BotView) -> tuple[str, str]:
    if action == SignalAction.FLAT:
        return AlertDraft().quantity, ""
    offered = quantities_of(kind, action)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        quantity = st.selectbox(
            "How much", offered, key=f"{PREFIX}quantity_{'_'.join(offered)}",
            format_func=QUANTITIES.__getitem__, width=320,
        )  # fmt: skip
        size = ""
        if quantity not in ("stake", "contracts"):
            unit = {"amount": bot.quote, "units": bot.base}.get(quantity, "percent")
            size = st.text_input(f"Number ({unit})", "10", key=f"{PREFIX}size", width=180,
                                 help=NUMBER_HELP)  # fmt: skip
            _remark_on_none(size, "the bot's own amount is used")
    return quantity, size


def _ask_level(label: str, name: str) -> tuple[str, str]:
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        how = st.segmented_control(label, list(LEVELS), key=f"{PREFIX}{name}", default=NO_LEVEL,
                                   required=True, format_func=LEVELS.__getitem__)  # fmt: skip
        at = ""
        if how != NO_LEVEL:
            at = st.text_input(f"{label} at", key=f"{PREFIX}{name}_at", width=180,
                               placeholder="2" if how == "percent" else "{{plot_0}}",
                               help=NUMBER_HELP)  # fmt: skip
            _remark_on_none(at, "the bot's own level is used")
    return how, at


def _remark_on_none(typed: str, follows: str) -> None:
    if not typed.strip():
        st.caption(f":orange[Nothing is typed: {follows}.]")


# --- the check -----------------------------------------------------------------------------------


def draw_check(panel: ControlPanel) -> None:
    """Any message, read as a bot would read it; nothing follows from it."""
    message = st.text_area(
        "Message", key=CHECKED, height=150, max_chars=20_000,
        placeholder="Paste a message; placeholders are filled in with samples",
    )  # fmt: skip
    if message and message.strip():
        _draw_reading(panel, message)


def _draw_reading(panel: ControlPanel, message: str, ticker: str = "") -> None:
    for name in unknown(message):
        st.warning(
            f"TradingView knows no placeholder {escape(name)}: it would be sent as it stands.",
            icon=":material/help:",
        )
    body = filled(message, now(), ticker)
    try:
        request = ReadRequest(body=body, content_type=content_type_of(body))
        reading = panel.read_message(request)
    except EngineRefused as error:
        st.error(escape(error.message), icon=":material/block:")
    except PanelError as error:
        show_error(error)
    else:
        st.success(
            f"With sample values it reads: **{escape(order_words(reading.order))}**."
            f" {escape(_once_words(reading))}",
            icon=":material/check:",
        )


def _once_words(reading: MessageReading) -> str:
    again = "the same signal" if reading.is_marked else "the same for a while only"
    sent = (
        "It does not say when it was sent: how late it came is not known."
        if reading.sent_at is None
        else "It says when it was sent."
    )
    return f"Delivered again, it counts as {again}. {sent}"
