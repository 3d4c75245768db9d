"""A process with a log that another writes: it is killed, and what it has said must be there."""

import os
import signal
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from myquant.brokers.secrets import Redactor
from myquant.session.log_async import open_async_log
from myquant.session.log_files import NO_BOUNDS


def log_and_die(folder: str, count: int, secret: str) -> None:
    """Log some lines, a secret in each, and die by SIGKILL before the writer can have begun."""
    redactor = Redactor()
    log = open_async_log(
        Path(folder), redactor, session="s", clock=time.time_ns, bounds=NO_BOUNDS, zone=ZoneInfo("UTC")
    )
    log.info("before")
    redactor.keep(secret)
    for number in range(count):
        log.info("line", number=number, text=f"the token is {secret}")
    os.kill(os.getpid(), signal.SIGKILL)
