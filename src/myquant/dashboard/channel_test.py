"""A test message through each channel of the settings: one test at a time, in the background, seen by all who look."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

from myquant.config.watching import AlertSettings
from myquant.monitor.channels import channel_names, read_channels
from myquant.monitor.finding import INFO
from myquant.monitor.trial import Trial, trial_text, try_channels

NO_CHANNEL: Final = (
    "no channel to test: alerts.info, alerts.warning and alerts.critical of the pages' own settings are empty: name one there, such"
    ' as alerts.critical = ["mail"], and begin the pages again'
)
BUSY: Final = "a test is under way already"
FAILED: Final = "the test has failed: see the log of the pages"

_log = logging.getLogger(__name__)

Try = Callable[[str], Awaitable[Sequence[Trial]]]


class ChannelTest:
    """The last test. `said`: how it stands, in words; "": none was made; `lines`: what each channel answered."""

    def __init__(self, names: Sequence[str], attempt: Try) -> None:
        self.names = tuple(names)
        self.said = ""
        self.lines: list[str] = []
        self._attempt = attempt
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: AlertSettings, environ: Mapping[str, str]) -> "ChannelTest":
        """Return the test of the channels of the settings; their addresses are read when it begins."""

        async def attempt(time_text: str) -> Sequence[Trial]:
            names = channel_names(settings)
            channels = await asyncio.to_thread(partial(read_channels, names, environ))
            return await try_channels(channels, settings, INFO, environ, time_text)

        return cls(channel_names(settings), attempt)

    @property
    def is_running(self) -> bool:
        """Whether a test is under way."""
        return self._task is not None and not self._task.done()

    def begin(self, time_text: str, who: str) -> str:
        """Begin a test; return "" or why not. `time_text`: the time, for people; `who`: asks."""
        if not self.names:
            return NO_CHANNEL
        if self.is_running:
            return BUSY
        self.said, self.lines = f"{time_text}: asking {', '.join(self.names)} ...", []
        _log.info("a test of the channels, asked for by %s", who or "the operator")
        self._task = asyncio.get_running_loop().create_task(self._run(time_text))
        return ""

    async def wait(self) -> None:
        """Wait for the test that is under way."""
        if self._task is not None:
            await self._task

    async def _run(self, time_text: str) -> None:
        try:
            trials = await self._attempt(time_text)
        except (OSError, ValueError, RuntimeError) as error:
            _log.warning("the test of the channels has failed", exc_info=error)
            self.said = f"{time_text}: {FAILED}"
            return
        failed = sum(not trial.answer.delivered for trial in trials)
        self.lines = [trial_text(trial) for trial in trials]
        self.said = f"{time_text}: {len(trials) - failed} of {len(trials)} channels took the message"
