"""The colours of charts: mid tones that keep their contrast on a light and on a dark page."""

UP = "#2a9d78"
DOWN = "#d64f5e"
BLUE = "#3f7fd9"
ORANGE = "#d98324"
VIOLET = "#8f6fd6"
GREY = "#8591a3"

SERIES = (BLUE, ORANGE, VIOLET, "#1f9fb0", "#b0608f", "#7f8f2f")
"""For lines that are told apart, in this order."""

OVERLAYS = ("#1f9fb0", "#c0679c", "#8a9a35", "#b98a5e", "#6d83c9")
"""For lines over candles: apart from the colours of markers and levels."""


def series_colour(index: int) -> str:
    """The colour of the line at ``index``; they repeat after the last."""
    return SERIES[index % len(SERIES)]


def overlay_colour(index: int) -> str:
    """The colour of the overlay at ``index``; they repeat after the last."""
    return OVERLAYS[index % len(OVERLAYS)]


def faded(colour: str, opacity: float) -> str:
    """``#rrggbb`` with an opacity in [0, 1], as ``rgba(...)``."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
