"""Tables of records: amounts are written as their own asset is read."""

import pandas as pd

from panel.record_tables import format_amounts


def test_each_row_has_the_digits_of_its_asset_and_a_missing_amount_is_a_dash() -> None:
    frame = pd.DataFrame({"P&L": [-0.011051, 12.5, None, 0.0]})
    style = format_amounts(frame.style, "P&L", ["BTC", "USDT", "USDT", "BTC"], is_signed=True).hide(
        axis="index"
    )
    cells = style.to_string(delimiter="|").split()
    assert cells[1:] == ["\u22120.011051", "+12.50", "\u2013", "0.0000"]
