"""Overview: what all bots are worth and doing, live."""

from panel.delivery_trouble import live_trouble
from panel.figures import apply_details_style
from panel.layout import page_header
from panel.live_money import open_asked_start
from panel.overview import choose, draw_live
from panel.session import control_panel

panel = control_panel()
page_header("Overview", panel)
apply_details_style()
open_asked_start(panel)
live_trouble(panel)
draw_live(panel, choose())
