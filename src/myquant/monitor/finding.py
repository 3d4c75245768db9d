"""What the monitor finds wrong: a finding, and what it does for a session's health."""

from typing import Final, NamedTuple

INFO: Final = "info"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
SEVERITIES: Final = (INFO, WARNING, CRITICAL)  # rising

# Verdicts on health, rising.
OK: Final = "ok"
DEGRADED: Final = "degraded"
FAILED: Final = "failed"
VERDICTS: Final = (OK, DEGRADED, FAILED)
VERDICT_OF: Final = {INFO: OK, WARNING: DEGRADED, CRITICAL: FAILED}


class Finding(NamedTuple):
    """Something that is wrong as long as it is found.

    Two findings of the same rule, session and subject are the same fault, whatever their text says meanwhile.
    """

    rule: str  # a name of `rules.RULES`
    session: str  # its name; "": of the monitor or the machine
    subject: str  # what of the session: an instrument, a queue, an order; "": the whole
    severity: str
    text: str  # in one line, with figures: what is wrong
    remedy: str  # what to do
    since_ns: int  # since when, the machine's clock

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same fault."""
        return self.rule, self.session, self.subject
