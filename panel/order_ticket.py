"""The order ticket of the Bot page: a person's own order, with what it would come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.contracts import (
    ACTIVE_STATES,
    BotView,
    ErrorDetail,
    OrderState,
    PositionSide,
    Purpose,
    TicketType,
    TimeInForce,
)
from panel.commands import has_outcomes, say_done
from panel.facade import ControlPanel, EngineRefused, PanelError
from panel.format import escape, now, quantity
from panel.ticket_draft import (
    BY_AMOUNT,
    BY_QUANTITY,
    LASTING,
    PRICED,
    STOPPED,
    TYPES,
    TicketDraft,
    body_of,
    is_buy,
    lasting_of,
    outcome_words,
)

PURPOSES = {Purpose.ENTRY: "Enter", Purpose.EXIT: "Exit"}
SIDES = {PositionSide.LONG: "Long", PositionSide.SHORT: "Short"}
REFUSAL = "ticket:refusal"
REFUSED = frozenset({OrderState.REJECTED, OrderState.EXPIRED})
TYPED = ("size", "price", "stop_price", "trail_percent", "level_stop", "level_target")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a ticket was not placed."""

    message: str
    details: Sequence[ErrorDetail] = ()


class TicketForm:
    """Draws the fields that a type needs; ``slots`` has a place for the error of each."""

    def __init__(self, bot: BotView) -> None:
        self.bot = bot
        self.slots: dict[str, DeltaGenerator] = {}

    def key(self, name: str) -> str:
        """The session key of a field's widget."""
        return f"ticket_{self.bot.id}_{name}"

    def draw(self) -> None:
        """Draw the fields."""
        purpose, kind = self._draw_kind()
        with st.grid(4, min_column_width=150, gap="small"):
            self._draw_size(purpose, kind)
            if kind in PRICED:
                label = "Target price" if kind is TicketType.OCO else "Limit price"
                self._text(f"{label} ({self.bot.quote})", "price")
            if kind in STOPPED:
                self._text(f"Stop price ({self.bot.quote})", "stop_price")
            if kind is TicketType.TRAILING_STOP:
                self._text("Distance (percent)", "trail_percent", "trail_bps")
            self._draw_lasting(kind)
        if purpose is Purpose.ENTRY:
            with st.grid(4, min_column_width=150, gap="small"):
                own = "the bot's own"
                self._text("Stop of the position", "level_stop", placeholder=own)
                self._text("Target of the position", "level_target", placeholder=own)

    def read(self) -> TicketDraft:
        """What the fields hold at this moment: a click must not send what they held before it."""
        purpose = self._value("purpose", Purpose.ENTRY)
        kind = self._value(f"type_{purpose.value}", TicketType.MARKET)
        is_entry = purpose is Purpose.ENTRY
        return TicketDraft(
            purpose=purpose,
            type=kind,
            direction=self._value("direction", PositionSide.LONG),
            size_by=self._value("size_by", BY_AMOUNT) if is_entry else BY_QUANTITY,
            time_in_force=self._value(f"tif_{kind.value}", TimeInForce.GTC),
            minutes=self._value("minutes", None),
            **{name: self._value(name, "").strip() for name in TYPED},
        )

    def _value(self, name: str, default: Any) -> Any:
        value = st.session_state.get(self.key(name))
        return default if value is None else value

    def _draw_kind(self) -> tuple[Purpose, TicketType]:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            purposes = list(PURPOSES) if self.bot.position else [Purpose.ENTRY]
            purpose = st.segmented_control(
                "Purpose", purposes, default=purposes[0], required=True, key=self.key("purpose"),
                format_func=PURPOSES.__getitem__, label_visibility="collapsed",
            ) or purposes[0]  # fmt: skip
            kinds = [k for k in TYPES if k is not TicketType.OCO or purpose is Purpose.EXIT]
            kind = st.selectbox(
                "Type", kinds, key=self.key(f"type_{purpose.value}"), width=190,
                format_func=lambda one: TYPES[one][0], label_visibility="collapsed",
            )  # fmt: skip
            st.caption(TYPES[kind][1], width="stretch")
        self._slot("purpose", "type")
        return purpose, kind

    def _draw_size(self, purpose: Purpose, kind: TicketType) -> None:
        bot = self.bot
        if purpose is Purpose.EXIT:
            if kind is not TicketType.OCO and bot.position is not None:
                hint = f"all: {quantity(bot.position.quantity)}"
                self._text(f"Quantity ({bot.base})", "size", "quantity", placeholder=hint)
            return
        if bot.can_short:
            with st.container(gap="xxsmall"):
                st.segmented_control(
                    "Direction", list(SIDES), default=PositionSide.LONG, required=True,
                    key=self.key("direction"), format_func=SIDES.__getitem__,
                )  # fmt: skip
                self._slot("direction")
        with st.container(gap="xxsmall"):
            names = {BY_AMOUNT: f"amount of {bot.quote}", BY_QUANTITY: f"quantity of {bot.base}"}
            size_by = st.selectbox(
                "Size given as", list(names), format_func=names.__getitem__, key=self.key("size_by")
            )
        unit = bot.base if size_by == BY_QUANTITY else bot.quote
        self._text(f"Size ({unit})", "size", "quantity", "quote_amount")

    def _draw_lasting(self, kind: TicketType) -> None:
        options = lasting_of(kind)
        if not options or kind is TicketType.OCO:
            return
        with st.container(gap="xxsmall"):
            st.selectbox(
                "Works", options, format_func=LASTING.__getitem__, key=self.key(f"tif_{kind.value}")
            )
            self._slot("time_in_force")
        with st.container(gap="xxsmall"):
            st.number_input(
                "Take back after (minutes)", min_value=1, max_value=525_600, value=None, step=1,
                key=self.key("minutes"), placeholder="never",
            )  # fmt: skip
            self._slot("expires_at")

    def _text(self, label: str, name: str, *fields: str, placeholder: str = "") -> None:
        with st.container(gap="xxsmall"):
            st.text_input(label, key=self.key(name), placeholder=placeholder or None)
            self._slot(*(fields or (name,)))

    def _slot(self, *fields: str) -> None:
        place = st.empty()
        for field in fields:
            self.slots[field] = place

    def show_errors(self, details: Sequence[ErrorDetail]) -> list[ErrorDetail]:
        """Put each error at its field. Returns those without a field in the form."""
        left = []
        for detail in details:
            place = self.slots.get(detail.field)
            if place is None:
                left.append(detail)
            else:
                place.markdown(f":red[:material/error: {escape(detail.message)}]")
        return left


@st.fragment
def draw_ticket(panel: ControlPanel, bot: BotView) -> None:
    """The ticket; a fragment, so that typing redraws nothing else."""
    if bot.state not in ACTIVE_STATES:
        st.caption(
            "Start or pause the bot to place orders with it: nobody watches a stopped bot's orders."
        )
        return
    if has_outcomes():
        st.rerun()  # for the page to say it and to show the order
    form = TicketForm(bot)
    form.draw()
    draft = form.read()
    words = outcome_words(draft, bot)
    with st.container(horizontal=True, vertical_alignment="center"):
        verb = "Buy" if is_buy(draft, bot) else "Sell"
        label = "Set target and stop" if draft.type is TicketType.OCO else f"{verb} {bot.base}"
        st.button(
            label, type="primary", key=form.key("place"), on_click=_place, args=(panel, bot),
            icon=":material/send:",
        )  # fmt: skip
        st.caption(escape(words) if words else "Give a size to see what it comes to.",
                   width="stretch")  # fmt: skip
    refusal: Refusal | None = st.session_state.pop(f"{REFUSAL}:{bot.id}", None)
    if refusal is not None and (form.show_errors(refusal.details) or not refusal.details):
        st.error(f"Not placed. {escape(refusal.message)}", icon=":material/error:")


def _place(panel: ControlPanel, bot: BotView) -> None:
    """Send the ticket; a callback. What was typed is kept when it was not placed."""
    draft = TicketForm(bot).read()
    try:
        orders = panel.place_order(bot.id, body_of(draft, now()))
    except PanelError as error:
        details = error.details if isinstance(error, EngineRefused) else ()
        st.session_state[f"{REFUSAL}:{bot.id}"] = Refusal(error.message, details)
        return
    refused = next((order for order in orders if order.state in REFUSED), None)
    if refused is not None:
        why = refused.error or f"The order is {refused.state.value}."
        st.session_state[f"{REFUSAL}:{bot.id}"] = Refusal(why)
        return
    is_pair = draft.type is TicketType.OCO
    say_done("The target and the stop are set." if is_pair else "The order is placed.")
    for name in TYPED:
        st.session_state.pop(f"ticket_{bot.id}_{name}", None)
