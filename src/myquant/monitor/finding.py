"""What the monitor finds wrong: a finding, and what it does for a session's health."""

from typing import Final, NamedTuple, Self

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


def plain(text: str) -> str:
    """Return a text in one line that every file, terminal and message can hold: what can't be printed is written as its code."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)


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
    kind: str = ""  # of the session; "": of none
    stand: str = ""  # what the session holds and what protects it, where that matters
    state: str = ""  # of the same fault: one that was not told yet is told

    def made_plain(self) -> Self:
        """Return it with texts that can be told: names of folders and lines of logs may hold anything."""
        subject, text, remedy = plain(self.subject), plain(self.text), plain(self.remedy)
        stand, state = plain(self.stand), plain(self.state)
        made = self._replace(session=plain(self.session), subject=subject, text=text, remedy=remedy)
        return made._replace(stand=stand, state=state)

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same fault."""
        return self.rule, self.session, self.subject
