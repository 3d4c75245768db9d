"""Snapshots of the state: `<session>/snapshots/NNNNNNNNNNNN.snap`, named by the last journal record that they hold.

    line 1         JSON: format, number, inputs, commands, engine_hash, config_hash, state_hash, sections ([name, bytes]...)
    then           the sections, one after the other
    last 32 bytes  BLAKE2b of all before

A snapshot gets its name when it is whole and on the disk.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from myquant.errors import JournalError
from myquant.journal.disk import DISK, Disk, discard, explained, let_go, put_file, read_whole, sync_folder, write_whole

FORMAT: Final = 1
FOLDER: Final = "snapshots"
SUFFIX: Final = ".snap"
KEEP: Final = 3
_DRAFT: Final = ".new"
_HASH_BYTES: Final = 32
_WORD_BYTES: Final = 8


class Snapshot(NamedTuple):
    """The state as it was after one record of the journal."""

    number: int  # of that record
    inputs: int  # in the journal up to there
    commands: int
    engine_hash: str
    config_hash: str
    sections: Mapping[str, bytes]

    @property
    def state_hash(self) -> bytes:
        """BLAKE2b of the sections with their names and lengths, 32 bytes."""
        digest = blake2b(digest_size=_HASH_BYTES)
        for name, content in self.sections.items():
            digest.update(f"{name} {len(content)}\n".encode())
            digest.update(content)
        return digest.digest()

    @property
    def hash_words(self) -> tuple[int, int, int, int]:
        """The state's hash as four int64, for the SNAPSHOT note."""
        words = (self.state_hash[at : at + _WORD_BYTES] for at in range(0, _HASH_BYTES, _WORD_BYTES))
        first, second, third, fourth = (int.from_bytes(word, "little", signed=True) for word in words)
        return first, second, third, fourth


class Found(NamedTuple):
    """What a search for a snapshot gave."""

    snapshot: Snapshot | None
    skipped: list[str]  # newer ones of no use: file and reason, one line each


def write(folder: Path, snapshot: Snapshot, disk: Disk = DISK, *, keep: int = KEEP) -> Path:
    """Put a snapshot into a session's folder, durably and whole or not at all; older ones go, save the newest `keep`.

    Returns its path. Raises JournalError when the disk refuses.
    """
    inside = folder / FOLDER
    path = inside / f"{snapshot.number:012d}{SUFFIX}"
    draft = path.with_name(path.name + _DRAFT)
    with explained(inside, "can't be made"):
        if not disk.is_folder(inside):
            disk.make_folder(inside)
            sync_folder(disk, folder)
    discard(disk, draft)  # of a process that died while making it
    with explained(path, "can't be written"):
        descriptor = disk.create(draft)
        try:
            write_whole(disk, descriptor, _content(snapshot))
            disk.sync(descriptor)
            put_file(disk, path, draft)
        except OSError:
            discard(disk, draft)
            raise
        finally:
            let_go(disk, descriptor)
    with explained(inside, "can't be listed"):
        names = disk.names(inside)
    for name in [name for name in names if name.endswith(SUFFIX)][:-keep]:
        discard(disk, inside / name)
    return path


def snapshot_paths(folder: Path, disk: Disk = DISK) -> list[Path]:
    """Return the snapshots of a session's folder, the oldest first. Raises JournalError."""
    inside = folder / FOLDER
    with explained(inside, "can't be listed"):
        if not disk.is_folder(inside):
            return []
        return [inside / name for name in disk.names(inside) if name.endswith(SUFFIX)]


def read(path: Path, disk: Disk = DISK) -> Snapshot:
    """Return a snapshot. Raises JournalError for one that is damaged, of another format or can't be read."""
    with explained(path, "can't be read"):
        descriptor = disk.open_to_read(path)
        try:
            content = read_whole(disk, descriptor, disk.size(descriptor))
        finally:
            let_go(disk, descriptor)
    head, sealed = content[:-_HASH_BYTES], content[-_HASH_BYTES:]
    if blake2b(head, digest_size=_HASH_BYTES).digest() != sealed:
        raise JournalError(f"{path}: is damaged: remove it; an older one or the journal alone will do")
    line, _, rest = head.partition(b"\n")
    header: dict[str, Any] = json.loads(line)
    if header["format"] != FORMAT:
        raise JournalError(
            f"{path}: is of format {header['format']}, this version reads {FORMAT}: use the version that wrote it"
        )
    sections: dict[str, bytes] = {}
    for name, length in header["sections"]:
        sections[name], rest = rest[:length], rest[length:]
    return Snapshot(**{field: header[field] for field in Snapshot._fields} | {"sections": sections})


def newest_valid(folder: Path, engine_hash: str, config_hash: str, last_number: int, disk: Disk = DISK) -> Found:
    """Return the newest snapshot that can be gone on from, and which newer ones can't, and why.

    It must be whole, made by this engine and configuration, and hold no record behind number `last_number`. Raises
    JournalError when the folder can't be listed.
    """
    skipped = []
    for path in reversed(snapshot_paths(folder, disk)):
        try:
            found = read(path, disk)
        except JournalError as error:
            skipped.append(str(error))
            continue
        if reason := _unfit(found, engine_hash, config_hash, last_number):
            skipped.append(f"{path}: {reason}")
        else:
            return Found(found, skipped)
    return Found(None, skipped)


def _unfit(found: Snapshot, engine_hash: str, config_hash: str, last_number: int) -> str:
    if found.engine_hash != engine_hash:
        return f"is of another engine ({found.engine_hash}, now {engine_hash})"
    if found.config_hash != config_hash:
        return f"is of another configuration ({found.config_hash}, now {config_hash})"
    if found.number > last_number:
        return f"holds record {found.number}, and the journal ends with {last_number}"
    return ""


def _content(snapshot: Snapshot) -> bytes:
    header = snapshot._asdict() | {
        "format": FORMAT,
        "state_hash": snapshot.state_hash.hex(),
        "sections": [[name, len(content)] for name, content in snapshot.sections.items()],
    }
    head = b"".join([json.dumps(header).encode(), b"\n", *snapshot.sections.values()])
    return head + blake2b(head, digest_size=_HASH_BYTES).digest()
