"""The log's writer: a process beside a session that makes lines of what the session leaves in a ring.

`python -m myquant.session.log_writer FD BYTES`, started by `log_async`, with the ring as an inherited descriptor. It ends
when its standard input does, which is when the session closes its log or dies: then it writes what is left first.
"""

import select
import signal
import sys
from functools import partial
from marshal import load
from pathlib import Path
from typing import Final

from myquant.session.log_async import LOST, UNSHOWN, Place, Scribe
from myquant.session.log_files import start_packing
from myquant.session.spsc import Ring

POLL_MS: Final = 10
IGNORED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # it lives as long as its session


def main() -> None:
    """Write what comes, to the end."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    ring = Ring.attach(int(sys.argv[1]), int(sys.argv[2]))
    place = Place(*load(sys.stdin.buffer))  # noqa: S302  (written by the session that started us)
    folder = Path(place.folder)
    scribe = Scribe(place, on_new=partial(start_packing, folder))
    end = select.poll()
    end.register(sys.stdin, select.POLLIN | select.POLLHUP)
    has_ended = False
    while not has_ended:
        has_ended = bool(end.poll(POLL_MS))  # looked at before the ring: what was pushed before the end is found
        scribe.drain(ring)
        ring.flags[LOST], ring.flags[UNSHOWN] = scribe.log.lost, scribe.log.unshown
    scribe.log.close()
    ring.close()


if __name__ == "__main__":
    main()
