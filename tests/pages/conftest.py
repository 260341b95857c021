"""Pages run by Streamlit's own test runner against the real HTTP API over the fake services."""

import functools
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from panel.navigation import NAVIGATED
from tests.fakes.serve import TEST_TOKEN, serving
from tests.fakes.services import FakeServices
from tests.support.streamlit_scan import scan_packages_once

APP = Path(__file__).resolve().parents[2] / "app.py"

scan_packages_once()


@dataclass
class FakeEngine:
    """A running API, and the state behind it."""

    services: FakeServices
    url: str
    token: str


EngineStarter = Callable[..., FakeEngine]


@pytest.fixture(scope="session", autouse=True)
def components_scanned_once() -> Iterator[None]:
    """Every AppTest looks for components in the metadata of all packages that are installed, which
    is more work than the page; a server does so once, at its start."""
    with pytest.MonkeyPatch.context() as patch:
        found = functools.cache(manifest_scanner.scan_component_manifests)
        patch.setattr(manifest_scanner, "scan_component_manifests", found)
        yield


@pytest.fixture
def start_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[EngineStarter]:
    """Starts engines over fake services, sized by the arguments of ``FakeServices``."""
    (tmp_path / "api.token").write_text(TEST_TOKEN, "ascii")
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
    with ExitStack() as stack:

        def start(**size: Any) -> FakeEngine:
            services = FakeServices(**size)
            served = stack.enter_context(serving(services))
            monkeypatch.setenv("QUARTERDECK_API_PORT", str(served.port))
            return FakeEngine(services, served.url, served.token)

        yield start
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def fake_engine(start_engine: EngineStarter) -> FakeEngine:
    """An engine with nine bots, one in each state."""
    return start_engine()


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_port: int) -> int:
    """Nobody listens at the engine's port, which is returned."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(free_port))
    return free_port


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def open_page(page: str, query: Mapping[str, Any] | None = None) -> AppTest:
    """Run ``app.py``, or go straight to ``pages/<page>.py``.

    Streamlit's test runner forgets ``st.navigation`` between runs and then finds a page by its
    file: such a page counts as navigated to.
    """
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in (query or {}).items():
        app.query_params[name] = value
    if page != "overview":
        app.session_state[NAVIGATED] = True
        app.switch_page(f"pages/{page}.py")
    return app.run()


def words(app: AppTest) -> str:
    """All text that a page shows."""
    kinds = (
        "header", "subheader", "markdown", "caption", "error", "warning", "info", "success", "html",
    )  # fmt: skip
    elements = (element for kind in kinds for element in app.get(kind))
    return "\n".join(str(getattr(element, "value", "")) for element in elements)
