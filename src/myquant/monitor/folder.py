"""Where the monitor keeps what is its own."""

from pathlib import Path

from myquant.session.at_broker import state_folder


def monitor_folder() -> Path:
    """Return the monitor's folder in `MYQUANT_STATE`, else in the user's folder of states; it need not be there."""
    return state_folder() / "monitor"
