"""A sender in a process of its own: so many signals a second over connections that stay open.

``python -m tests.support.webhook_load URL RATE SECONDS CONNECTIONS KEY...`` prints one ``Report``
as JSON. It does not wait for answers before it goes on: a slow engine is not spared.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from itertools import cycle

import aiohttp

TIMEOUT_S = 60.0


@dataclass
class Report:
    """What became of each signal: seconds from when it was due to its answer, by status; the ids
    that were answered 200, by the id in the body."""

    answered: dict[str, list[float]] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    lasted_s: float = 0.0

    def note(self, status: int, latency_s: float) -> None:
        """Count one answer."""
        self.answered.setdefault(str(status), []).append(latency_s)


async def send_all(url: str, keys: list[str], rate: int, seconds: int, connections: int) -> Report:
    """Send ``rate`` signals a second for so long, each when it is due."""
    report, loop = Report(), asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=connections)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def send(number: int, key: str, due: float) -> None:
            body = {"action": "open", "side": "long", "id": f"load-{number}"}
            try:
                async with session.post(f"{url}/webhook/{key}", json=body) as response:
                    told = await response.json()
                    report.note(response.status, loop.time() - due)
                    if response.status == 200:
                        report.accepted[body["id"]] = told["id"]
            except (aiohttp.ClientError, TimeoutError) as error:
                report.failures.append(repr(error))

        begun, tasks = loop.time(), []
        for number, key in zip(range(rate * seconds), cycle(keys), strict=False):
            due = begun + number / rate
            if (wait_s := due - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            tasks.append(asyncio.create_task(send(number, key, due)))
        await asyncio.gather(*tasks)
        report.lasted_s = loop.time() - begun
    return report


if __name__ == "__main__":
    url, rate, seconds, connections, *keys = sys.argv[1:]
    done = asyncio.run(send_all(url, keys, int(rate), int(seconds), int(connections)))
    print(json.dumps(asdict(done)))
