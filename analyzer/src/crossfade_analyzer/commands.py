"""What `crossfade-analyzer` does with the evidence store, apart from serving it."""

from __future__ import annotations

import argparse
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from crossfade_analyzer.contract import Verification
from crossfade_analyzer.settings import store_url
from crossfade_analyzer.store.evidence import Evidence


class Failed(Exception):
    """It could not be done; the message says why."""


def verify(options: argparse.Namespace) -> int:
    found = _of_digest(options.evidence) if options.evidence.startswith("sha256:") else _of_file(options.evidence)
    if not found.verified:
        print(f"NOT VERIFIED: {found.subject}, {len(found.differences)} differences:")
        print("\n".join(f"  {text}" for text in found.differences))
        return 1
    windows = f", {found.windows} windows" if found.windows else ""
    print(f"verified: {found.subject}{windows}, {found.looks} looks, {found.verdict} by {found.rule}")
    return 0


def _of_digest(digest: str) -> Verification:
    from crossfade_analyzer import verification

    try:
        return verification.verify(_store(), digest)
    except verification.UnknownDigest as error:
        raise Failed(str(error)) from error


def _of_file(path: str) -> Verification:
    from crossfade_analyzer import verification
    from crossfade_analyzer.store import files

    try:
        return verification.verify_file(files.read(Path(path)))
    except (files.UnreadableFile, verification.UnknownDigest) as error:
        raise Failed(str(error)) from error


def export(options: argparse.Namespace) -> int:
    from crossfade_analyzer.store.files import exported

    store = _store()
    entry = store.find(options.digest)
    if entry is None:
        raise Failed(f"no entry of the evidence store has the digest {options.digest}")
    print(exported(store, entry).model_dump_json(by_alias=True))
    return 0


def dump(options: argparse.Namespace) -> int:
    for entry in _store().dump(options.subject):
        result = json.loads(entry.result) if entry.result else None
        line = {**vars(entry), "kind": entry.kind.value, "body": entry.content(), "result": result}
        print(json.dumps(line, sort_keys=True, separators=(",", ":")))
    return 0


def backup(options: argparse.Namespace) -> int:
    from crossfade_analyzer.store.backup import BackupFailed
    from crossfade_analyzer.store.backup import backup as write

    try:
        done = write(_store(), options.file)
    except BackupFailed as error:
        raise Failed(str(error)) from error
    print(f"{done.entries} entries of {done.subjects} subjects, every chain checked, in {options.file}")
    return 0


def restore(options: argparse.Namespace) -> int:
    from crossfade_analyzer.store.backup import BackupFailed
    from crossfade_analyzer.store.backup import restore as read

    store = Evidence(store_url(os.environ))
    store.migrate()
    try:
        done = read(store, options.file)
    except BackupFailed as error:
        raise Failed(str(error)) from error
    print(f"{done.added} of {done.entries} entries of {done.subjects} subjects were missing and are restored")
    return 0


def archive(options: argparse.Namespace) -> int:
    from crossfade_analyzer.store.archive import archive as move
    from crossfade_analyzer.store.backup import BackupFailed

    try:
        done = move(_store(), options.file, options.before, datetime.now(UTC))
    except BackupFailed as error:
        raise Failed(str(error)) from error
    if not done.subjects:
        print(f"every subject was added to since {options.before:%Y-%m-%d}: nothing is archived")
        return 0
    print(
        f"{done.entries} entries of {done.subjects} subjects, every chain checked, are in {options.file} and no longer "
        "in the store; keep the file: decisions about them verify again once it is restored"
    )
    return 0


def _store() -> Evidence:
    store = Evidence(store_url(os.environ))
    store.check()
    return store
