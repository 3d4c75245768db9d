"""Compile the default engine once, before the tests start in parallel; nothing to do when it is on disk."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from laws.driver import random_ticks, run_engine, settings, step_through
from session.warming import warm

run_engine(random_ticks(1, count=200), settings({}))
step_through(random_ticks(1, count=200), settings({}))
warm()
