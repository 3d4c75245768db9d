"""A feed that needs no hand-off: it runs in the session's own loop."""

from typing import TYPE_CHECKING

from myquant.errors import BrokerError
from myquant.session.channels import HandoffCounts

if TYPE_CHECKING:
    from myquant.session.loop import FeedPort


class Direct:
    """No hand-off: the feed in the session's own loop."""

    handed_ns = 0

    def __init__(self, feed: "FeedPort") -> None:
        self._feed = feed
        self.start, self.aclose = feed.start, feed.aclose

    @property
    def failure(self) -> BrokerError | None:
        """Why the feed does not try any more."""
        return self._feed.failure

    def counts(self) -> HandoffCounts:
        """Return that nothing waits."""
        return HandoffCounts(0, 0, 0, 0)

    take_fullest = counts

    def rest(self) -> None:
        """Do nothing: there is nothing to look at."""

    go_on = rest
