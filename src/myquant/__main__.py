"""`python -m myquant`: the same as the command `myquant`."""

import sys

from myquant.cli import main

if __name__ == "__main__":  # a worker process of `backtest --separate` imports this module too
    sys.exit(main())
