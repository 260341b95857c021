"""One life of the engine of ``alert_engine``.

``python -m tests.support.alert_day FOLDER URL STEP COMMITS`` kills itself after so many commits
from that step on; with -1 commits it does not.
"""

import asyncio
import sys
from pathlib import Path

from tests.support.alert_engine import Day


async def live() -> None:
    """To the end of the day, unless it is killed before."""
    folder, url, step, commits = sys.argv[1:]
    await Day(Path(folder), url, int(step), int(commits)).live()


if __name__ == "__main__":
    asyncio.run(live())
