"""Which feed a session gets: its account's, behind the hand-off that is configured."""

from collections.abc import Mapping
from pathlib import Path

from myquant.brokers.angelone.opening import OpenAccount
from myquant.brokers.port import FeedCalls
from myquant.config.schema import Config
from myquant.session.handoff import Handoff, hand_off
from myquant.session.log_async import Place
from myquant.session.loop import SessionLoop
from myquant.session.reader_log import PROCESS


def feed_of(
    account: OpenAccount, config: Config, cache: Path, environ: Mapping[str, str], loop: SessionLoop, place: Place
) -> Handoff:
    """Return an account's feed for a session's loop, not started.

    `cache`: the folder where the account's tokens of the day are; `environ`: where its secrets are; `place`: the
    session's log.
    """
    log = loop.supervisor.log
    told_by = {"process": PROCESS} if config.pipeline.handoff == "ring" else {}  # whose words they are
    calls = FeedCalls(
        on_frame=loop.on_frame,
        on_status=loop.on_status,
        on_text=lambda connection, text: log.warning("feed text", connection=connection, text=text, **told_by),
        on_slow=lambda late_ns: log.warning("the loop was late", late_ms=late_ns // 10**6, **told_by),
        expects_data=loop.expects_data,
    )
    return hand_off(
        config.pipeline.handoff,
        calls,
        lambda calls: account.feed(config, **calls._asdict()),
        account.source(config, cache),
        environ,
        on_lost=loop.on_lost,
        stall_s=float(config.feed.stall_s),
        place=place,
    )
