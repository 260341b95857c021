"""``python -m engine``: the engine, and the commands that speak to it."""

import sys

from engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
