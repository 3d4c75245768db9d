"""A try of channels: one message through each, at once, by a process of its own."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from myquant.brokers.secrets import Redactor
from myquant.config.watching import AlertSettings
from myquant.monitor.channels import PAGE, Channel, secret_parts
from myquant.monitor.worker import Answer, Parcel, Worker

# What helps, by what an answer holds (small letters); the first that fits.
REMEDIES: Final = (
    (("no answer within",), "is the host right and can it be reached? else raise alerts.attempt_s"),
    (("(535", "(534", "(530", "http 401", "http 403", "unauthorized"), "check user, password or token in {where}"),
    (("certificate", "ssl"), "check host and port in {where}, and the server's certificate"),
    (("(550", "(551", "(553", "recipient"), "check the recipient in {where}, and the sender"),
    (("(421", "(450", "(451", "(452"), "the server takes nothing for now: try later"),
    (("http 429", "too many"), "the service takes no more for now: try later, or lower alerts.per_hour"),
    (("http 404",), "check the path in {where}"),
    (("connection", "socket exception", "errno"), "check host and port in {where}, and that the server runs"),
)
ANY: Final = f"check the address in {{where}}; {PAGE}"


class Trial(NamedTuple):
    """What became of the message through one channel."""

    channel: str
    answer: Answer
    took_s: float
    remedy: str


def remedy_for(answer: Answer, where: str) -> str:
    """Return what to do about an answer, "" where nothing is to be done; `where`: the variable of the address."""
    if answer.delivered or where in answer.said:  # then it says itself what to do
        return ""
    said = answer.said.lower()
    found = (remedy for words, remedy in REMEDIES if any(word in said for word in words))
    return next(found, ANY).format(where=where)


def trial_text(trial: Trial) -> str:
    """Return what became of the message through one channel, in a line."""
    if trial.answer.delivered:
        return f"{trial.channel}: delivered in {trial.took_s:.1f} s"
    remedy = f": {trial.remedy}" if trial.remedy else ""
    said = trial.answer.said.removeprefix(f"channel {trial.channel}: ")
    return f"{trial.channel}: not delivered: {said}{remedy}"


async def try_channels(
    channels: Sequence[Channel], settings: AlertSettings, severity: str, environ: Mapping[str, str], time_text: str
) -> list[Trial]:
    """Send a test message through each channel and return what became of them, in their order.

    `time_text`: the time, for people.
    """
    redactor = Redactor(part for channel in channels for part in secret_parts(channel.address))
    message_id = f"test {time.time_ns():x}"
    title = f"{severity.upper()} test: this channel works"
    body = f"A test of myquant's alerts, asked for at {time_text}. There is nothing to do."
    parcel = Parcel(message_id, severity, title, body)

    async def tried(channel: Channel) -> Trial:
        answer, took_s = Answer(delivered=False, said=channel.problem), 0.0
        if not channel.problem:
            worker = Worker(channel, redactor, float(settings.attempt_s), environ)
            try:
                problem = await worker.ready()
                started_s = time.monotonic()
                answer = Answer(delivered=False, said=problem) if problem else await worker.deliver(parcel)
                took_s = time.monotonic() - started_s
            finally:
                await worker.close()
        return Trial(channel.name, answer, took_s, remedy_for(answer, channel.where))

    return list(await asyncio.gather(*map(tried, channels)))
