"""What a session needs compiled, loaded and called once."""

import tempfile
from pathlib import Path

from myquant.brokers.angelone.decode import FrameDecoder
from myquant.brokers.angelone.tokens import Token, TokenTable
from session.sessions import RICH, day_inputs, open_session


def warm() -> None:
    FrameDecoder(TokenTable([Token(2, "1", 0)]), 0, 0).take(b"", 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(Path(folder) / "s", RICH)
        session.go_on(day_inputs(1, count=60), save_every=20)
        session.journal.close()
        open_session(Path(folder) / "s", RICH).journal.close()
