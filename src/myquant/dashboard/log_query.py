"""What is asked of the logs, as the address of the page has it, so that it can be shared: `/logs?since=1h&level=warning`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from starlette.datastructures import QueryParams

from myquant.errors import ConfigError
from myquant.monitor.log_merge import LEVELS, time_of

TEXT_MAX: Final = 300
NAMES_MAX: Final = 100
SINCE: Final = "1h"
LEVEL: Final = "info"
COUNTS: Final = ("200", "500", "1000", "2000")


@dataclass(frozen=True)
class LogQuery:
    """A question. `since`, `until`: as `myquant logs` takes them, "" for all; `names`: of logs, none for all."""

    since: str = SINCE
    until: str = ""
    level: str = LEVEL
    text: str = ""
    is_pattern: bool = False
    names: tuple[str, ...] = ()
    is_newest_first: bool = True
    follows: bool = False
    most: int = int(COUNTS[1])

    def times(self, zone: ZoneInfo, now_ns: int) -> tuple[int, int | None]:
        """Return from and until when, ns UTC. Raises ConfigError for what is no time."""
        since_ns = time_of("From", self.since, zone, now_ns) if self.since else 0
        until_ns = time_of("To", self.until, zone, now_ns) if self.until else None
        return max(0, since_ns), until_ns


def query_of(params: QueryParams | Mapping[str, str]) -> LogQuery:
    """Return what the address asks; without anything, the usual. Raises ConfigError where it asks what can't be."""
    given = params if isinstance(params, QueryParams) else QueryParams(dict(params))
    if not given:
        return LogQuery()
    level, most = given.get("level", LEVEL), given.get("most", COUNTS[1])
    since, until, text = (given.get(name, "").strip() for name in ("since", "until", "text"))
    names = tuple(dict.fromkeys(given.getlist("of")))
    if level not in LEVELS:
        raise ConfigError(f"Level {level[:TEXT_MAX]!r}: must be one of {', '.join(LEVELS)}")
    if most not in COUNTS:
        raise ConfigError(f"Lines {most[:TEXT_MAX]!r}: must be one of {', '.join(COUNTS)}")
    if max(map(len, (since, until, text))) > TEXT_MAX or len(names) > NAMES_MAX:
        raise ConfigError(f"at most {TEXT_MAX} characters in a field, and {NAMES_MAX} logs by name; none for all")
    return LogQuery(
        since=since,
        until=until,
        level=level,
        text=text,
        is_pattern=given.get("regex") == "1",
        names=names,
        is_newest_first=given.get("order") != "oldest",
        follows=given.get("follow") == "1",
        most=int(most),
    )
