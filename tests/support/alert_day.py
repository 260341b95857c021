"""One life of the engine of ``alert_engine``: ``python -m tests.support.alert_day FOLDER URL``."""

import asyncio
import sys
from pathlib import Path

from tests.support.alert_engine import Day


async def live() -> None:
    """To the end of the day, unless it is killed before."""
    await Day(Path(sys.argv[1]), sys.argv[2]).live()


if __name__ == "__main__":
    asyncio.run(live())
