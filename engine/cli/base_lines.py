"""The base currency's line of ``status``."""

from collections.abc import Mapping
from typing import Any

from engine.cli.output import amount, moment, signed


def base_lines(base: Mapping[str, Any]) -> list[str]:
    """All bots in one currency, and below it what is to be known of that figure."""
    left_out = ", ".join(f"{amount(one['amount'], 8)} {one['asset']}" for one in base["left_out"])
    if base["value"] is None:
        return [f"total in {base['currency']}: not known, no rate for {left_out}"]
    lines = [
        f"total in {base['currency']}: equity {amount(base['value'])}, today "
        f"{signed(base['today_pnl'])}, open {signed(base['unrealised_pnl'])}"
    ]
    if base["as_of"]:
        lines.append(f"  rates as of {moment(base['as_of'])} UTC")
    if left_out:
        lines.append(f"  without {left_out}: no rate")
    if base["stale"]:
        lines.append(f"  old rates: {', '.join(base['stale'])}")
    if base["declared"]:
        lines.append(f"  by a setting: {'; '.join(base['declared'])}")
    if base["simulated"]:
        lines.append(f"  by simulated prices: {', '.join(base['simulated'])}")
    return lines
