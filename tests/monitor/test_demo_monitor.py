"""The demonstration of the monitor: the alert of a dead session arrives, and so does its end."""

import re
import subprocess
import sys
from pathlib import Path

from monitor.at_work import needs, plain

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "monitoring" / "demo_monitor.py"


def test_the_demonstration_of_the_monitor_shows_an_alert_and_its_end(tmp_path: Path) -> None:
    needs("monitor")
    ended = subprocess.run(
        [sys.executable, SCRIPT], cwd=tmp_path, env=plain(), capture_output=True, text=True, check=False, timeout=400
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    killed, _, after = ended.stdout.partition("kill -9 ")
    assert "engine_dead" not in killed
    shown = re.findall(r"engine_dead \(\w+\) (raised|resolved)", after)
    assert shown[0] == "raised"
    assert shown[-1] == "resolved"
    assert ended.stdout.endswith("The alert came, and its end came.\n")
