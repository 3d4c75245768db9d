"""Has a running session become slower than the one before it? `evidence.drift` over what a session journals of its ticks."""

import json
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from myquant.evidence.drift import BASELINE_MIN_TICKS, Calibration, DriftDetector
from myquant.monitor.view import SessionView

FOLDER: Final = "drift"
FOLDER_MODE: Final = 0o700

Numbers = np.ndarray[Any, Any]


@dataclass
class _Watched:
    """A session that is watched."""

    detector: DriftDetector | None = None
    first: list[Numbers] = field(default_factory=list)  # ratios of its first ticks, until there are enough
    ticks: int = 0  # in `first`
    calibrating: "Future[DriftDetector] | None" = None
    has_own: bool = False  # its own baseline is made
    reference_ns: int = 0


class DriftWatch:
    """Watches the ratio of tick time to reference time of each session.

    The baseline is that of the newest earlier session of the same kind, configuration and engine; without one, the session's
    own first 20,000 ticks. Those make the baseline of the next session, too, and are kept in `folder`.

    Args:
        folder: the monitor's.
        workers: where baselines are worked out, half a second each, beside the caller.
    """

    def __init__(self, folder: Path, workers: Executor) -> None:
        self._folder = folder / FOLDER
        self._workers = workers
        self._watched: dict[str, _Watched] = {}

    def look(self, views: Mapping[str, SessionView]) -> None:
        """Take what came of each session since the last look; forget those that are gone."""
        self._watched = {name: watched for name, watched in self._watched.items() if name in views}
        for view in views.values():
            for spent in view.spent:
                self.take(view, spent.spent_ns, spent.reference_ns)

    def take(self, session: SessionView, spent_ns: Numbers, reference_ns: int | None) -> None:
        """Take what the next ticks of a session took, int64 of shape (n,), 0 where not known, and the reference's time then.

        Sets `drift_percent` and `drift_since_ns` of the session. Ticks before the first reference are left out.
        """
        watched = self._watched.get(session.name)
        if watched is None:
            watched = self._watched[session.name] = _Watched(self._earlier(session))
        watched.reference_ns = reference_ns or watched.reference_ns
        if not watched.reference_ns:
            return
        ratios = spent_ns[spent_ns > 0] / watched.reference_ns
        self._collect(session, watched, ratios)
        if watched.detector is not None:
            _judge(session, watched.detector, ratios)

    def _collect(self, session: SessionView, watched: _Watched, ratios: Numbers) -> None:
        """Keep a session's first ticks, until its own baseline can be worked out; take that up once it is there."""
        if watched.has_own:
            return
        if watched.calibrating is None:
            watched.first.append(ratios)
            watched.ticks += len(ratios)
            if watched.ticks >= BASELINE_MIN_TICKS:
                first = np.concatenate(watched.first)[:BASELINE_MIN_TICKS]
                watched.first.clear()
                watched.calibrating = self._workers.submit(DriftDetector.calibrate, first)
        elif watched.calibrating.done():
            watched.has_own = True
            own = watched.calibrating.result()  # where that fails it is told once, by who looks
            self._save(session, own.calibration)
            watched.detector = watched.detector or own

    def _path(self, session: SessionView) -> Path:
        like = f"{session.kind}\n{session.config.hash}\n{session.engine_hash}"
        return self._folder / f"{sha256(like.encode()).hexdigest()[:16]}.json"

    def _earlier(self, session: SessionView) -> DriftDetector | None:
        """Return a detector with the baseline of an earlier session, or what this one has left before a restart."""
        with suppress(OSError, ValueError, TypeError, KeyError):  # none, or one of another version
            return DriftDetector(Calibration(**json.loads(self._path(session).read_text())["calibration"]))
        return None

    def _save(self, session: SessionView, calibration: Calibration) -> None:
        path = self._path(session)
        with suppress(OSError):  # the next session begins with its own ticks, then
            path.parent.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            draft.write_text(json.dumps({"session": session.name, "calibration": asdict(calibration)}))
            draft.replace(path)


def _judge(session: SessionView, detector: DriftDetector, ratios: Numbers) -> None:
    """Hold ratios against a baseline."""
    for ratio in ratios.tolist():
        if (drift := detector.add(ratio)) is not None:
            session.drift_percent = drift.percent
            session.drift_since_ns = session.written_wall_ns
    if not detector.is_slow:
        session.drift_percent = session.drift_since_ns = None
