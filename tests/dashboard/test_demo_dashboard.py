"""The demonstration of the pages: the link that it prints lets a browser in, and nothing of it stays behind."""

import re
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from monitor.at_work import plain

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "dashboard" / "demo_dashboard.py"
READY_S = 300.0
ANSWER_S = 60.0


def test_the_demonstration_of_the_pages_prints_a_link_and_ends_in_order(tmp_path: Path) -> None:
    words = [sys.executable, str(SCRIPT)]
    environ = plain()
    demo = subprocess.Popen(
        words, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = ""
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            said += line
            if "Ctrl-C ends all" in line:
                break
        ((port, path),) = re.findall(r"^http://127\.0\.0\.1:(\d+)(/enter\?key=\S+)$", said, re.MULTILINE)
        with closing(HTTPConnection("127.0.0.1", int(port), timeout=ANSWER_S)) as browser:
            browser.request("GET", path)
            assert "lets one browser in" in browser.getresponse().read().decode()
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(READY_S) == 0
    finally:
        demo.kill()
        demo.communicate()
    (session,) = (tmp_path / "runs").glob("demo-*")
    assert (session / "session.json").is_file()
    assert not list((tmp_path / "build" / "demo" / "dashboard").glob("*/monitor/dashboard.json"))
