"""Everything that the pages of the panel show, for those who look for what must not be there."""

from collections.abc import Iterator, Mapping
from typing import Any

import streamlit as st
from streamlit.testing.v1 import AppTest

from panel.navigation import NAVIGATED, SECTIONS
from tests.support.streamlit_scan import scan_packages_once
from tooling.place import ROOT

ALERT_VIEWS = ("Matrix", "Log", "History", "Price alerts", "Message")
BOT_TABS = ("Positions", "Orders", "Signals", "Logs", "Configuration", "Audit")


def shown_pages(bot_id: str) -> dict[str, bytes]:
    """What each page shows, down to the settings of its widgets, by its name. Raises
    AssertionError for one that breaks."""
    scan_packages_once()
    try:
        return {name: _shown(page, query) for name, page, query in _visits(bot_id)}
    finally:
        st.cache_data.clear()
        st.cache_resource.clear()


def _visits(bot_id: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    for pages in SECTIONS.values():
        for file, _title, _icon in pages:
            yield file, file, {}
    for view in ALERT_VIEWS:
        yield f"alerts, {view}", "alerts", {"view": view}
    for tab in BOT_TABS:
        yield f"bot, {tab}", "bot", {"bot": bot_id, "tab": tab}


def _shown(page: str, query: Mapping[str, str]) -> bytes:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=90)
    for name, value in query.items():
        app.query_params[name] = value
    app.session_state[NAVIGATED] = True
    app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception, f"{page}: {app.exception}"
    return "\n".join(_texts(app._tree)).encode()


def _texts(node: Any) -> Iterator[str]:
    """Of an element and all that is in it."""
    yield str(getattr(node, "proto", ""))
    for child in getattr(node, "children", {}).values():
        yield from _texts(child)
