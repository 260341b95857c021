"""The exchange as a process: prints its address, then serves until it is stopped."""

import argparse
import asyncio
import sys

from tests.fakes.exchange.server import serve, stocked_exchange


def main() -> None:
    """Serve on the port asked for; 0 takes a free one."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.exchange")
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port
    exchange = stocked_exchange()

    def ready() -> None:
        sys.stdout.write(f"{exchange.url}\n")
        sys.stdout.flush()

    try:
        asyncio.run(serve(exchange, port, ready))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
