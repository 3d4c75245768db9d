"""The feed of an account that has logged in already, opened once more in a thread or process of its own."""

import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from brokers.fake_angelone import CREDENTIALS, NIFTY, OPTION, PACKET, connected, fake_broker, run, until
from brokers.fake_feed import Watcher
from myquant.brokers.angelone import settings
from myquant.brokers.angelone.opening import AccountSource, OpenAccount, timing_of
from myquant.brokers.port import FeedCalls
from myquant.brokers.secrets import variable
from myquant.config.loading import load_config

ENVIRON = {variable(settings.BROKER, name): getattr(CREDENTIALS, name) for name in settings.SECRETS}


def calls(watcher: Watcher, expects_data: Callable[[], bool] = lambda: True) -> FeedCalls:
    return FeedCalls(watcher.on_frame, watcher.on_status, watcher.on_text, watcher.lags.append, expects_data)


def test_it_needs_no_second_login_and_carries_no_secret(tmp_path: Path) -> None:
    async def scenario() -> None:
        watcher = Watcher()
        async with fake_broker() as broker, connected(broker, cache=tmp_path / "tokens.json") as client:
            await client.login()
            account = OpenAccount(client, (OPTION,), (NIFTY,), ())
            packed = pickle.dumps(account.source(load_config().config, tmp_path))
            assert client.tokens is not None
            hidden = [*CREDENTIALS.secrets(), *(asdict(client.tokens)[name] for name in ("jwt", "refresh", "feed"))]
            assert [secret for secret in hidden if secret.encode() in packed] == []
            source = pickle.loads(packed)  # noqa: S301  (it was packed above)
            async with source.open(calls(watcher), ENVIRON) as feed:
                feed.start()
                await until(watcher.healthy)
                await feed.aclose()
            assert broker.calls[settings.LOGIN] == 1
            assert broker.headers[-1]["authorization"] == f"Bearer {broker.jwt}"
        assert watcher.frames[0][:2] == (1, PACKET)

    run(scenario())


def test_it_opens_the_very_feed_of_the_account(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = load_config().config
        async with fake_broker() as broker, connected(broker, cache=tmp_path / "tokens.json") as client:
            await client.login()
            account = OpenAccount(client, (OPTION,), (NIFTY,), ())
            source = account.source(config, tmp_path)
            assert source == AccountSource(
                broker.endpoints, tmp_path, (OPTION,), (NIFTY,), config.feed.mode, timing_of(config)
            )
            own = account.feed(config, **calls(Watcher())._asdict())
            async with source.open(calls(Watcher()), ENVIRON) as other:
                for mine, others in zip(own.connections, other.connections, strict=True):
                    assert mine._subscriptions == others._subscriptions
                    assert mine._timing == others._timing

    run(scenario())
