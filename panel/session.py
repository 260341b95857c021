"""Where the engine is, and the one connection of this panel process to it."""

import os
from pathlib import Path

import streamlit as st

from panel.facade import ControlPanel, EngineOff, EngineSilent, PanelError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_API_PORT = 8710


def data_folder() -> Path:
    """The data folder: ``QUARTERDECK_DATA``, or ``data`` in the project."""
    return Path(os.environ.get("QUARTERDECK_DATA") or ROOT / "data").expanduser().resolve()


def engine_url() -> str:
    """The engine's address on this machine, from ``QUARTERDECK_API_PORT``."""
    return f"http://127.0.0.1:{os.environ.get('QUARTERDECK_API_PORT') or DEFAULT_API_PORT}"


def read_token() -> str:
    """The API token; empty while there is none, which the engine then refuses."""
    try:
        return (data_folder() / "api.token").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def control_panel() -> ControlPanel:
    """The connection to the engine, shared by all browser sessions of this panel."""
    return _connection(engine_url(), str(data_folder()))


def is_engine_on(panel: ControlPanel) -> bool:
    """Whether anything answers at the engine's address, be it late or with a refusal."""
    try:
        panel.health()
    except EngineOff as error:
        return isinstance(error, EngineSilent)
    except PanelError:
        return True  # it answers; the page will say what is wrong
    return True


@st.cache_resource(show_spinner=False, on_release=ControlPanel.close)
def _connection(url: str, data: str) -> ControlPanel:
    return ControlPanel(url, read_token)


def is_dark() -> bool:
    """Whether the browser shows the dark theme; dark while it has not said."""
    return st.context.theme.type != "light"
