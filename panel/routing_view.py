"""Why entries went to their accounts: what was weighed, kept with each order."""

from collections.abc import Sequence

import streamlit as st

from engine.contracts import Order
from engine.contracts.routing import RouteCandidate
from panel.format import escape, moment, price, quantity
from panel.record_tables import Column, draw_records

MOST_ROUTES = 20

ROUTE_COLUMNS: tuple[Column[RouteCandidate], ...] = (
    Column("Account", lambda one: one.account_id),
    Column("Left out because", lambda one: one.excluded),
    Column("Symbol", lambda one: one.symbol),
    Column("Price", lambda one: None if one.price is None else float(one.price), price),
    Column("Size", lambda one: "" if one.price is None else
           "from its book" if one.has_depth else "not known"),
    Column("Fee, bps", lambda one: None if one.fee_bps is None else float(one.fee_bps), quantity),
    Column("Latency, ms", lambda one: one.latency_ms, quantity),
    Column("Age, s", lambda one: one.age_s, quantity),
    Column("Free", lambda one: None if one.free is None else float(one.free), quantity),
    Column("Score", lambda one: None if one.score is None else float(f"{one.score:.8g}"), price),
)  # fmt: skip


def draw_routes(orders: Sequence[Order]) -> None:
    """The newest routed orders, each with the table of its candidates; nothing without any."""
    routed = [(order, order.routing) for order in orders if order.routing is not None]
    if not routed:
        return
    with st.expander(f"Routes ({len(routed)})", icon=":material/alt_route:"):
        for order, plan in routed[:MOST_ROUTES]:
            st.markdown(
                f"**{escape(moment(order.created_at))}** to {escape(plan.chosen)}:"
                f" {escape(plan.reason)}."
            )
            draw_records(plan.candidates, ROUTE_COLUMNS, key=f"route-{order.client_id}")
        if len(routed) > MOST_ROUTES:
            st.caption(f"The newest {MOST_ROUTES} of {len(routed)}.")
