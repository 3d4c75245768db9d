"""The lines of a feed's reader that its session does not take: the reader's process appends them to the session's log itself."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, TextIO
from zoneinfo import ZoneInfo

from myquant.brokers.secrets import Redactor
from myquant.config.schema import Config
from myquant.errors import MyquantError
from myquant.session.channels import FAILURE, SLOW, STATUS, TEXT
from myquant.session.log import SessionLog, open_log
from myquant.session.log_async import Place
from myquant.session.log_files import Bounds, bounds_of

PROCESS: Final = "feed reader"
UNHEARD: Final = "the session does not take what its feed reader says"
GONE: Final = "the session's process has gone without ending its reader"
FULL: Final = "the hand-off was full to the end"
BROKE: Final = "the feed's reader broke"


class Said(NamedTuple):
    """Something of a channel that is no frame: see `channels`."""

    kind: int
    a: int
    b: int
    text: str


def place_of(folder: Path, config: Config, session: str) -> Place:
    """Return where the log of a session is, for another process."""
    return Place(
        str(folder.resolve()), session, config.session.timezone, debug=False, bounds=(*bounds_of(config.logs),)
    )


def tell_unheard(
    place: Place, redactor: Redactor, why: str, said: Iterable[Said], stderr: TextIO | None = None
) -> bool:
    """Append what was said to a session's log, behind a line that says why; return whether the log could be opened."""
    log = _opened(place, redactor, stderr)
    if log is None:
        return False
    log.warning(UNHEARD, why=why)
    for each in said:
        if each.kind == STATUS:
            log.warning("feed", connection=each.a, healthy=bool(each.b), reason=each.text)
        elif each.kind == TEXT:
            log.warning("feed text", connection=each.a, text=each.text)
        elif each.kind == SLOW:
            log.warning("the loop was late", late_ms=each.a // 10**6)
        elif each.kind == FAILURE:
            log.error("the feed has failed", why=each.text)
    log.close()
    return True


def tell_crash(
    place: Place,
    redactor: Redactor,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """Append a defect that ends the reader to a session's log, with its traceback; for `sys.excepthook`."""
    log = _opened(place, redactor, None)
    if log is not None:
        log.error(BROKE, exc_info=(kind, error, trace))
        log.close()


def _opened(place: Place, redactor: Redactor, stderr: TextIO | None) -> SessionLog | None:
    """Open the log; None, told on stderr: it can't be."""
    try:
        return open_log(
            Path(place.folder),
            redactor.text,
            session=place.session,
            process=PROCESS,
            clock=time.time_ns,
            bounds=Bounds(*place.bounds),
            zone=ZoneInfo(place.zone),
            stderr=stderr,
        )
    except MyquantError as error:
        (stderr or sys.stderr).write(f"{PROCESS}: {redactor.text(str(error))}\n")
        return None
