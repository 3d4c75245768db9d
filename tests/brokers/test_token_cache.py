"""The file of the day's tokens: private, whole, and never trusted blindly."""

import os
from pathlib import Path

import pytest

from myquant.brokers.token_cache import TokenCache
from myquant.errors import ConfigError


def test_keeps_texts_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    cache = TokenCache(tmp_path / "new" / "tokens.json")
    assert cache.load() is None
    cache.save({"jwt": "a"})
    cache.save({"jwt": "b"})
    assert cache.load() == {"jwt": "b"}
    assert cache.path.stat().st_mode & 0o777 == 0o600
    assert cache.path.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in cache.path.parent.iterdir()] == ["tokens.json"]
    cache.delete()
    cache.delete()
    assert cache.load() is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    cache = TokenCache(tmp_path / "tokens.json")
    cache.save({"jwt": "planted"})
    cache.path.chmod(mode)
    with pytest.raises(
        ConfigError, match=f"tokens.json: holds tokens and others may read it .mode {mode:04o}.*chmod 600"
    ):
        cache.load()


def test_a_link_or_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    other = TokenCache(tmp_path / "other.json")
    other.save({"jwt": "planted"})
    (tmp_path / "link.json").symlink_to(other.path)
    with pytest.raises(ConfigError, match=r"link\.json: can't be read"):
        TokenCache(tmp_path / "link.json").load()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"folder: .*delete it"):
        TokenCache(tmp_path / "folder").load()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"jwt": 1}', b"\xff", b'"text"'])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: bytes) -> None:
    cache = TokenCache(tmp_path / "tokens.json")
    cache.save({})
    cache.path.write_bytes(content)
    assert cache.load() is None


def test_a_folder_that_can_not_be_written_is_an_error_and_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="set MYQUANT_CACHE"):
        TokenCache(tmp_path / "file" / "tokens.json").save({})

    def refuse(_descriptor: int) -> None:
        raise OSError(13, os.strerror(13))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ConfigError, match="set MYQUANT_CACHE"):
        TokenCache(tmp_path / "tokens.json").save({"jwt": "planted"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
