"""annotations.json.bak: the labels as they were when a day of work began."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.files import read_file, replacing, write_json
from containers.basis.talk import log
from containers.data.labels import parse_annotations

BACKUP = ".bak"


def save_annotations(path: Path, data: dict, before: bytes) -> None:
    """Replace annotations.json, which held `before`; once a day that is kept beside it.

    Raises `ChangedError` where somebody has saved it since.
    """
    back_up(path, before)
    write_json(path, data, before)


def back_up(path: Path, data: bytes) -> None:
    """Keep what a file of labels holds, unless that was done today; never over another's file."""
    backup = path.with_name(path.name + BACKUP)
    if backup.exists():
        written = datetime.date.fromtimestamp(backup.stat().st_mtime)
        if written == datetime.date.today():
            return
        try:
            parse_annotations(read_file(backup), backup)
        except (UserError, OSError):
            log.warning(f"{backup} holds no labels and stays as it is: {path} has no backup")
            return
    with replacing(backup) as file:
        file.buffer.write(data)
    backup.chmod(stat.S_IMODE(path.stat().st_mode))
