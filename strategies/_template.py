"""Copy this file to a new name without the underscore, and change it. This line is the headline.

**What it does.** Enters long on the candle on which the close crosses above an average, exits on
the candle on which it crosses below. Everything in this text is shown on the Strategies page.

**When it works.** Say in which markets the idea holds.

**When it loses.** Say it honestly; every idea has such markets.

Source: where the rules come from.
"""

from typing import ClassVar

from pydantic import Field

from engine.domain.candles import Candles
from engine.domain.indicators import crosses_above, crosses_below, sma
from engine.domain.strategy import Plot, Signals, Strategy


class Template(Strategy):
    """The one public class of the file. Its file's name is its id: ``my_idea.py`` is my_idea."""

    # Shown in lists and on the form.
    title: ClassVar[str] = "Template"
    summary: ClassVar[str] = "One sentence that tells what the strategy trades on."

    # Each field is a parameter: the form, the checks and the tuner read its bounds and its text.
    # Every parameter needs a default.
    period: int = Field(
        default=20,
        ge=2,
        le=500,
        title="Average",
        description="Length of the average that the close must cross",
        json_schema_extra={"unit": "candles"},
    )

    @property
    def warmup(self) -> int:
        """How many candles are needed before the first signal: a crossing needs two averages."""
        return self.period + 1

    def signals(self, candles: Candles) -> Signals:
        """Judge every candle at once. Value ``i`` may depend on candles up to ``i`` only."""
        close, average = candles.close, sma(candles.close, self.period)
        is_up, is_down = crosses_above(close, average), crosses_below(close, average)

        def reason(i: int) -> str:
            """Words for the "Why?" tab, with numbers; also when nothing is done."""
            numbers = f"close {close[i]:.6g}", f"the average {average[i]:.6g}"
            if is_up[i]:
                return f"{numbers[0]} crossed above {numbers[1]}"
            if is_down[i]:
                return f"{numbers[0]} crossed below {numbers[1]}"
            return f"{numbers[0]} did not cross {numbers[1]}"

        return Signals(
            enter_long=is_up,
            exit_long=is_down,
            enter_short=is_down,
            exit_short=is_up,
            plots={f"SMA {self.period}": Plot(average)},
            reason=reason,
        )
