"""What a draft would mean in money, from the engine's preview, and the buttons that save it."""

from collections.abc import Mapping
from html import escape
from typing import Any

import streamlit as st

from engine.contracts import BotPreview, ErrorDetail
from panel.bot_draft import body_of
from panel.bot_form import forget_draft, read_draft
from panel.bot_settings import entry_words
from panel.commands import attempt
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape as markdown_escape
from panel.format import every, money, percent, price, quantity
from panel.live_money import typed_in_form
from panel.modes import mode_html, money_words

SAVED = "bot_form:saved"
REFUSAL = "bot_form:refusal"


def draw_buttons(panel: ControlPanel, name: str, bot_id: str | None) -> None:
    """Save, or save and start. They stand above the figures so that they stay where they are."""
    verb = "Save" if bot_id else "Create"
    with st.container(horizontal=True):
        st.button(
            f"{verb} and start", type="primary", icon=":material/play_arrow:", key="form_start",
            on_click=save, args=(panel, name, bot_id, True),
        )  # fmt: skip
        st.button(verb, key="form_save", on_click=save, args=(panel, name, bot_id, False))
    refusal = st.session_state.pop(REFUSAL, "")
    if refusal:
        st.error(markdown_escape(refusal), icon=":material/error:")


def save(panel: ControlPanel, name: str, bot_id: str | None, is_started: bool) -> None:
    """Save what the form holds now, and start it; a callback. The form is kept when refused."""
    typed = read_draft()["name"].strip()
    body, confirm = body_of(read_draft(), typed or name), typed_in_form()
    try:
        if bot_id:
            bot = panel.update_bot(bot_id, body, confirm_name=confirm)
        else:
            bot = panel.create_bot(body, confirm_name=confirm)
    except PanelError as error:
        st.session_state[REFUSAL] = f"Not saved. {error.message}"
        return
    forget_draft()
    where = {"bot": bot.id} if bot.config.signals is None else {"bot": bot.id, "tab": "Signals"}
    st.session_state[SAVED] = where
    if is_started:
        done = f"{bot.config.name} is starting."
        attempt(lambda: panel.start_bot(bot.id, confirm_name=confirm), done)


def draw_review(
    panel: ControlPanel, body: Mapping[str, Any], bot_id: str | None
) -> tuple[ErrorDetail, ...]:
    """Figures and warnings of the draft. Returns what is wrong with its fields, when it is."""
    try:
        preview = panel.preview_bot(body, bot_id=bot_id)
    except EngineRefused as error:
        if not error.details:
            st.error(markdown_escape(error.message), icon=":material/error:")
        else:
            st.info("The figures appear once the marked fields are right.")
        return error.details
    except PanelError as error:
        st.error(markdown_escape(error.message), icon=":material/error:")
        return ()
    st.html(review_html(preview))
    for warning in preview.warnings:
        st.warning(markdown_escape(warning), icon=":material/warning:")
    return ()


def review_html(preview: BotPreview) -> str:
    """The figures as a two-column list; the loss at the stop stands out."""
    config, quote = preview.config, preview.instrument.quote
    stop = f"{price(preview.stop_price)} ({percent(config.stop_loss)})"
    target = f"{price(preview.target_price)} ({percent(config.take_profit)})"
    entries = f" in up to {config.max_entries} entries" if config.max_entries > 1 else ""
    loss = (
        money(-preview.loss_at_stop, quote) if preview.loss_at_stop is not None else "not limited"
    )
    most = "no end" if preview.loss_at_most is None else money(-preview.loss_at_most, quote)
    if preview.loss_at_stop is None and preview.loss_at_most is not None:
        most = f"{most}, everything"
    rows = (
        ("Trades", f"{mode_html(preview.mode)} <b>{money_words(preview.mode)}</b>"),
        ("Decides", f"on {config.timeframe} candles, {every(config.interval_s)}"),
        ("Last price", f"{price(preview.last_price)} {quote}"),
        ("Quantity", f"{quantity(preview.quantity)} {preview.instrument.base}{entries}"),
        ("Fees, in and out", money(preview.fees_round_trip, quote)),
        ("Enters", entry_words(config)),
        ("Stop at", stop if preview.stop_price is not None else "no stop"),
        ("Target at", target if preview.target_price is not None else "no target"),
        ("Loss at the stop", f'<b class="qd-red">{escape(loss)}</b>'),
        ("At risk", money(preview.at_risk, quote)),
        ("Can be lost", f'<b class="qd-red">{escape(most)}</b>'),
        ("Gain at the target", money(preview.gain_at_target, quote, is_signed=True)),
        ("Free balance", money(preview.free_balance, quote)),
    )
    cells = "".join(
        f"<dt>{label}</dt><dd>{value if '<b' in value else escape(value)}</dd>"
        for label, value in rows
    )
    return f'<dl class="qd-review">{cells}</dl>'
