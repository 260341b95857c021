"""``python -m engine``: the engine, and the commands that speak to it."""

import sys

if __name__ == "__main__":
    # Here, because the worker processes of studies read this module too, and need none of it.
    from engine.cli import main

    sys.exit(main())
