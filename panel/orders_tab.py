"""The Orders tab of a bot: its working orders with what can be done about them, a ticket, and the
lists of all orders and fills."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from engine.contracts import BotView, Order, OrderType
from panel.asked import ask, asked, forget, forgetter, open_soon, settled
from panel.commands import attempt, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import quantity
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.order_ticket import draw_ticket
from panel.order_words import cannot_change, cannot_replace, order_html, working
from panel.record_tables import FILL_COLUMNS, ORDER_COLUMNS, draw_records
from panel.routing_view import draw_routes
from panel.ticket_draft import plain

ASKED = "order"
NEW = {"price": "replace_price", "stop_price": "replace_stop", "quantity": "replace_quantity"}
LABELS = {"price": "Limit price", "stop_price": "Stop price", "quantity": "Quantity"}
MOST_WORKING = 40


def draw_orders_tab(panel: ControlPanel, bot: BotView) -> None:
    """The ticket, then everything live below it."""
    _open_asked_dialog(panel, bot)
    with st.expander("New order", icon=":material/add:", key=f"ticket-{bot.id}"):
        draw_ticket(panel, bot)
    _live_orders(panel, bot)


@st.fragment(run_every=REFRESH_S)
def _live_orders(panel: ControlPanel, bot: BotView) -> None:
    show_outcomes()
    open_soon()
    try:
        orders = latest(f"orders:{bot.id}", lambda: panel.orders(bot.id))
        fills = latest(f"fills:{bot.id}", lambda: panel.fills(bot.id))
    except PanelError as error:
        show_error(error)
        return
    show_staleness(orders)
    if not orders.value:
        st.info("No order yet.")
        return
    _draw_working(working(orders.value), bot)
    st.markdown(f"**All orders** ({len(orders.value)}, newest first)")
    draw_records(orders.value, ORDER_COLUMNS, key="orders")
    draw_routes(orders.value)
    st.markdown(f"**Fills** ({len(fills.value)}, newest first)")
    draw_records(fills.value, FILL_COLUMNS, key="fills")


def _draw_working(orders: list[Order], bot: BotView) -> None:
    if not orders:
        st.caption("No order works at the venue now.")
        return
    st.markdown(f"**Working** ({len(orders)})")
    for order in orders[:MOST_WORKING]:
        with st.container(
            border=True, key=f"qd-order-{order.client_id}", horizontal=True,
            vertical_alignment="center",
        ):  # fmt: skip
            st.html(order_html(order, bot.quote))
            for verb, icon, obstacle in (
                ("Replace", "edit", cannot_replace(order)),
                ("Cancel", "close", cannot_change(order)),
            ):
                st.button(
                    verb, icon=f":material/{icon}:", key=f"{verb.lower()}-{order.client_id}",
                    on_click=ask, args=(ASKED, (verb, order.client_id)), disabled=bool(obstacle),
                    help=obstacle or None,
                )  # fmt: skip
    if len(orders) > MOST_WORKING:
        st.caption(f"The newest {MOST_WORKING} of {len(orders)}; all are in the table.")


def _open_asked_dialog(panel: ControlPanel, bot: BotView) -> None:
    settled()
    about = asked(ASKED)
    if about is None:
        return
    verb, client_id = about
    order = next((one for one in panel.orders(bot.id) if one.client_id == client_id), None)
    dialogs: dict[str, Callable[[ControlPanel, BotView, Order], None]] = {
        "Replace": _replace_dialog, "Cancel": _cancel_dialog,
    }  # fmt: skip
    if order is None or order.is_terminal:
        forget(ASKED)
        st.toast("That order is done already.", icon=":material/info:")
        return
    dialogs[verb](panel, bot, order)


@st.dialog("Cancel the order?", on_dismiss=forgetter(ASKED))
def _cancel_dialog(panel: ControlPanel, bot: BotView, order: Order) -> None:
    st.html(order_html(order, bot.quote))
    st.markdown("What is not filled is taken back from the venue. What was filled stays.")
    if order.oco_id:
        st.markdown("It is one of a pair: the other is taken back too.")
    if st.button(
        "Cancel the order", type="primary", key="cancel_confirm", on_click=_cancel,
        args=(panel, bot.id, order.client_id),
    ):  # fmt: skip
        st.rerun()


def _cancel(panel: ControlPanel, bot_id: str, client_id: str) -> None:
    forget(ASKED)
    attempt(lambda: panel.cancel_order(bot_id, client_id), "The order is being taken back.")


@st.dialog("Replace the order", on_dismiss=forgetter(ASKED))
def _replace_dialog(panel: ControlPanel, bot: BotView, order: Order) -> None:
    st.html(order_html(order, bot.quote))
    st.caption("It is taken back, and once the venue has confirmed that, the new one is sent.")
    for field in changeable(order):
        st.text_input(LABELS[field], quantity(getattr(order, field)), key=NEW[field])
    if st.button(
        "Replace", type="primary", key="replace_confirm", on_click=_replace,
        args=(panel, bot.id, order),
    ):  # fmt: skip
        st.rerun()


def changeable(order: Order) -> list[str]:
    """The fields that a person may change."""
    is_limit = order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    is_stop = order.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    fields = [*(["price"] if is_limit else []), *(["stop_price"] if is_stop else [])]
    return fields + (["quantity"] if order.quantity is not None else [])


def _replace(panel: ControlPanel, bot_id: str, order: Order) -> None:
    changes: dict[str, Any] = {}
    for field in changeable(order):
        typed = plain(st.session_state[NEW[field]])
        if typed != plain(quantity(getattr(order, field))):
            changes[field] = typed
    forget(ASKED)
    attempt(
        lambda: panel.replace_order(bot_id, order.client_id, changes),
        "The order is being replaced.",
    )
