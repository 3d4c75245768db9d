"""The engine asks a strategy for its stop and its exit where it has them."""

import os
import subprocess
import sys
from pathlib import Path

SCENARIOS = Path(__file__).with_name("own_strategy_scenarios.py")


def test_the_scenarios_of_an_own_stop_and_exit(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "MYQUANT_CACHE": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SCENARIOS)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=SCENARIOS.parents[2]
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout or "...." in done.stdout
