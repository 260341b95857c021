"""Diagnostics: how the engine and all that it depends on are, and what to do."""

from panel.diagnostics_view import draw_diagnostics
from panel.figures import apply_details_style
from panel.layout import page_header
from panel.session import control_panel

panel = control_panel()
page_header("Diagnostics", panel)
apply_details_style()
draw_diagnostics(panel)
