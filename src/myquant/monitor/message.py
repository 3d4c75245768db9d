"""What is told to a person: a message to one channel."""

from typing import NamedTuple


class Message(NamedTuple):
    """A message. Two that are equal in all fields are the same one: posted twice, it goes out once."""

    channel: str  # its name in the settings
    severity: str  # of `finding.SEVERITIES`
    title: str  # one line; a channel with short messages shows little else
    body: str  # plain text
    alert_ids: tuple[str, ...]  # of the alerts that it tells of; (): of none
    created_ns: int  # the machine's clock, UTC
