"""The live chart: a Streamlit component around plotly.js that keeps the view across updates.

``st.plotly_chart`` forgets the zoom when its data changes; here the browser redraws in place.
plotly.js comes from the installed plotly package and is served once by Streamlit's static serving
(``server.enableStaticServing``); it is neither fetched from elsewhere nor part of this repository.
"""

import functools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly
import streamlit as st

FRONTEND = Path(__file__).resolve().parent / "frontend"
SCRIPTS = ("chart_helpers.js", "chart.js")
"""Joined to the component's one module, in this order."""
STATIC = Path(__file__).resolve().parent.parent / "static"


def draw_chart(payload: Mapping[str, Any], *, key: str) -> None:
    """Draw what ``candle_chart.candle_payload`` made. The same ``key`` keeps the same chart."""
    _component()(data={**payload, "plotly_url": plotly_url()}, key=key)


@functools.cache
def _component() -> Any:
    return st.components.v2.component(
        "quarterdeck_chart",
        html=(FRONTEND / "chart.html").read_text("utf-8"),
        css=(FRONTEND / "chart.css").read_text("utf-8"),
        js="\n".join((FRONTEND / name).read_text("utf-8") for name in SCRIPTS),
        isolate_styles=False,
    )


def plotly_url() -> str:
    """The address of plotly.js on the panel's own server; puts the file there when it is not."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return "/".join(["", *([base] if base else []), "app", "static", publish_plotly(STATIC).name])


@functools.cache
def publish_plotly(folder: Path) -> Path:
    """Copy plotly.js into ``folder``, once a version; older versions' copies are removed.

    Raises OSError when the folder cannot be written or the package has no plotly.js.
    """
    target = folder / f"plotly-{plotly.__version__}.min.js"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("plotly-*.min.js"):
        stale.unlink(missing_ok=True)
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    partial = folder / f".{target.name}.{os.getpid()}"
    shutil.copyfile(source, partial)
    partial.replace(target)
    return target
