"""The book of alerts for all who look at pages: read in a thread, and only where it has changed."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from myquant.dashboard.alert_rows import SHOWN_MAX
from myquant.errors import MyquantError
from myquant.monitor.alert_list import AlertList, Deliveries, alerts_in, book_stamp, deliveries_in
from myquant.results.text import counted

AT_LEAST_S: Final = 10.0  # read anew, whatever the file's times say
MESSAGES: Final = 20


class AlertLook:
    """What the book held when it was last read.

    Attributes:
        alerts: all of them.
        deliveries: of messages.
        trouble: why it can't be read; "": it can.
        readings: how often it was read.
    """

    def __init__(self, folder: Path, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.alerts = AlertList()
        self.deliveries = Deliveries()
        self.trouble = ""
        self.readings = 0
        self._clock_s = clock_s
        self._stamp: tuple[int, ...] = ()
        self._read_s = 0.0
        self._lock = asyncio.Lock()

    async def refresh(self) -> None:
        """Read the book where it has changed since."""
        async with self._lock:
            stamp = book_stamp(self.folder)  # before it is read: what changes meanwhile is read the next time
            now_s = self._clock_s()
            if stamp == self._stamp and now_s - self._read_s < AT_LEAST_S:
                return
            try:
                self.alerts, self.deliveries = await asyncio.to_thread(self._read)
            except MyquantError as error:
                self.trouble = str(error)
            else:
                self.trouble, self._stamp, self._read_s = "", stamp, now_s
            self.readings += 1

    def _read(self) -> tuple[AlertList, Deliveries]:
        return alerts_in(self.folder), deliveries_in(self.folder, MESSAGES)


def troubles_of(look: AlertLook, active: int = 0) -> str:
    """Return in words what is not known or not shown, of so many active alerts, and why; "": all is."""
    said = [look.trouble] if look.trouble else []
    if unreadable := look.alerts.unreadable:
        rows = counted(len(unreadable), "alert")
        said.append(
            f"{rows} can't be understood, as of another version or damaged: number {', '.join(list(unreadable)[:5])}"
        )
    if active > SHOWN_MAX:
        said.append(f"{active:,} alerts are active: the {SHOWN_MAX} gravest are shown")
    return "; ".join(said)
