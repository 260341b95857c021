"""Price alerts: levels that prices are watched for, and the form that adds one."""

from collections.abc import Mapping
from decimal import Decimal

import streamlit as st

from engine.contracts import MarketView, SymbolView
from engine.contracts.alerts import CrossDirection, PriceAlertView
from panel.account_form import remember_refusal, show_refusal
from panel.asked import ask, asked, forget, forgetter, open_soon, settled
from panel.channel_form import Slots, keep_slot
from panel.commands import attempt, say_done, show_outcomes
from panel.facade import ControlPanel, PanelError
from panel.format import escape, moment, price
from panel.layout import show_error
from panel.live import REFRESH_S, latest, show_staleness
from panel.symbols import find_symbols

DELETE = "price_alert"
PREFIX = "price_alert_"
MARKET, SYMBOL, DIRECTION = f"{PREFIX}market", f"{PREFIX}symbol", f"{PREFIX}direction"
PRICE, NOTE, REPEATING = f"{PREFIX}price", f"{PREFIX}note", f"{PREFIX}repeating"
STATES = {
    # a state as the engine calls it: its colour
    "armed": "green", "fired": "blue", "disabled": "gray",
}  # fmt: skip


def draw_price_alerts(panel: ControlPanel) -> None:
    """The form, and those there are."""
    _open_asked_deletion(panel)
    markets = {market.id: market for market in panel.markets()}
    left, right = st.columns([1, 1.6], gap="medium")
    with left, st.container(border=True):
        st.markdown("**Add a price alert**")
        _draw_form(panel, markets)
    with right:
        _live_alerts(panel, {market.id: market.title for market in markets.values()})


# --- adding --------------------------------------------------------------------------------------


def _draw_form(panel: ControlPanel, markets: Mapping[str, MarketView]) -> None:
    slots: Slots = {}
    market = st.selectbox("Market", list(markets), key=MARKET,
                          format_func=lambda one: markets[one].title)  # fmt: skip
    keep_slot(slots, "market")
    symbols = {view.instrument.symbol: view for view in find_symbols(panel, market or "")}
    if st.session_state.get(SYMBOL) not in symbols:
        st.session_state[SYMBOL] = next(iter(symbols), None)
    symbol = st.selectbox("Symbol", list(symbols), key=SYMBOL, placeholder="Type to search")
    keep_slot(slots, "symbol")
    _draw_last_price(symbols.get(symbol or ""))
    left, right = st.columns(2, gap="small", vertical_alignment="bottom")
    with left:
        st.segmented_control(
            "When the price is", list(CrossDirection), key=DIRECTION, required=True,
            default=CrossDirection.ABOVE, format_func=lambda one: one.value,
        )  # fmt: skip
        keep_slot(slots, "direction")
    with right:
        st.text_input("Price", key=PRICE, max_chars=40, placeholder="as in 70000.5")
        keep_slot(slots, "price")
    st.text_input("Note", key=NOTE, max_chars=200, placeholder="told with it (optional)")
    keep_slot(slots, "note")
    st.checkbox(
        "Again whenever it crosses", key=REPEATING,
        help="Else it tells once. Armed again once the price was on the other side.",
    )  # fmt: skip
    st.button("Add", type="primary", icon=":material/add:", key="price_alert_add",
              on_click=_add, args=(panel,))  # fmt: skip
    show_refusal(slots)


def _draw_last_price(view: SymbolView | None) -> None:
    if view is not None and view.last_price is not None:
        last = f"{price(view.last_price)} {view.instrument.quote}"
        st.caption(escape(f"Last price {last}"))


def _add(panel: ControlPanel) -> None:
    """A callback. What was typed is kept when the engine refuses."""
    state = st.session_state
    request = {
        "market": state[MARKET] or "", "symbol": state[SYMBOL] or "", "direction": state[DIRECTION],
        "price": (state[PRICE] or "").replace(",", "").strip(), "note": (state[NOTE] or "").strip(),
        "is_repeating": state[REPEATING],
    }  # fmt: skip
    try:
        added = panel.add_price_alert(request)
    except PanelError as error:
        remember_refusal(error)
        return
    state[PRICE], state[NOTE] = "", ""
    say_done(f"{added.symbol} {added.direction.value} {price(added.price)} is watched.")


# --- those there are -----------------------------------------------------------------------------


@st.fragment(run_every=REFRESH_S)
def _live_alerts(panel: ControlPanel, markets: Mapping[str, str]) -> None:
    show_outcomes()
    open_soon()
    try:
        snapshot = latest("price_alerts", panel.price_alerts)
    except PanelError as error:
        show_error(error)
        return
    show_staleness(snapshot)
    if not snapshot.value:
        st.info(
            "No price is watched yet: choose a symbol and a price, and add it. It is told through"
            " the channels that tell Price alert in the Matrix.",
            icon=":material/price_change:",
        )
    for alert in snapshot.value:
        with st.container(border=True, key=f"qd-price-alert-{alert.id}", gap="xxsmall"):
            _draw_alert(panel, alert, markets.get(alert.market, alert.market))


def _draw_alert(panel: ControlPanel, alert: PriceAlertView, market: str) -> None:
    st.markdown(
        f"**{escape(alert.symbol)}** {alert.direction.value}"
        f" **{escape(money_of(alert, alert.price))}** :{STATES[alert.state]}-badge[{alert.state}]"
    )
    repeats = "each time it crosses" if alert.is_repeating else "once"
    fired = ""
    if alert.fired_at is not None:
        fired = f", last at {moment(alert.fired_at)} UTC by {price(alert.fired_price)}"
    st.caption(escape(f"{market}, {repeats}{fired}"))
    if alert.note:
        st.caption(escape(alert.note))
    with st.container(horizontal=True, gap="xsmall"):
        if alert.state == "armed":
            st.button("Disable", icon=":material/notifications_off:", on_click=_switch,
                      key=f"price-off-{alert.id}", args=(panel, alert, False))  # fmt: skip
        else:
            st.button("Arm", icon=":material/notifications_active:", on_click=_switch,
                      key=f"price-on-{alert.id}", args=(panel, alert, True))  # fmt: skip
        st.button("Delete", icon=":material/delete:", key=f"price-delete-{alert.id}",
                  on_click=ask, args=(DELETE, alert.id))  # fmt: skip


def money_of(alert: PriceAlertView, amount: Decimal) -> str:
    """A price with all its digits, and its asset where that is known."""
    return f"{price(amount)} {alert.quote}".strip()


def _switch(panel: ControlPanel, alert: PriceAlertView, is_on: bool) -> None:
    """A callback."""
    attempt(
        lambda: panel.change_price_alert(alert.id, {"is_enabled": is_on}),
        f"{alert.symbol} is {'watched' if is_on else 'not watched any more'}.",
    )


def _open_asked_deletion(panel: ControlPanel) -> None:
    settled()
    alert_id = asked(DELETE)
    if alert_id is None:
        return
    alert = next((one for one in panel.price_alerts() if one.id == alert_id), None)
    if alert is None:
        forget(DELETE)
        return
    _delete(panel, alert)


@st.dialog("Delete the price alert?", on_dismiss=forgetter(DELETE))
def _delete(panel: ControlPanel, alert: PriceAlertView) -> None:
    st.markdown(f"**{escape(alert.symbol)}** {alert.direction.value} {price(alert.price)} is not"
                " watched any more.")  # fmt: skip

    def act() -> None:
        attempt(lambda: panel.delete_price_alert(alert.id), f"{alert.symbol} is not watched.")
        forget(DELETE)

    if st.button("Delete", type="primary", key="price_alert_delete", on_click=act):
        st.rerun()
