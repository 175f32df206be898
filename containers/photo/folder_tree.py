"""A tree of folders that is looked through again and again: most of it has not changed since."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from containers.photo.files import LINKED_FOLDER, PassedOver

SETTLED = 2 * 10**9  # ns: the coarsest clock of a file system, by which a folder was changed
REREAD_SECONDS = 20.0  # after which a folder that seems the same is read again
REREAD_FILES = 500  # in such folders, for one look: 25 ms, for which new photos wait


@dataclass(frozen=True)
class Folder:
    """What a folder held: when its entries were last changed, in ns, its folders and files.

    `read` is when that was read, by the clock of who looks.
    """

    changed: int
    folders: tuple[str, ...]
    files: int
    read: float


class FolderTree:
    """The files below a folder, but for hidden ones and those behind links to folders.

    `on_skip` is told of folders that cannot be entered, or are not for they are links.
    """

    def __init__(self, folder: Path, on_skip: PassedOver):
        self.folder, self.on_skip = folder, on_skip
        self.seen: dict[str, Folder] = {}  # the one that was read longest ago comes first

    def changed(self, now: float) -> Iterator[Path]:
        """Yield the files of the folders in which something has come, gone or been renamed.

        A file that is written over in its place changes no folder, so each look also takes a few
        folders that were read longest ago. `now` is a clock's time in seconds.
        """
        files = 0
        old = [name for name, was in self.seen.items() if now - was.read >= REREAD_SECONDS]
        for folder in old:
            files += self.seen.pop(folder).files
            if files >= REREAD_FILES:
                break
        yield from self.below(str(self.folder), now)

    def below(self, folder: str, now: float) -> Iterator[Path]:
        """Yield what has changed in a folder, and below."""
        try:
            changed = os.stat(folder).st_mtime_ns
            before = self.seen.get(folder)
            if before is None or before.changed != changed:
                folders, files = self.entries(folder)
                if time.time_ns() - changed > SETTLED:  # else more may come within the same tick
                    self.seen.pop(folder, None)
                    self.seen[folder] = Folder(changed, folders, len(files), now)
                yield from files
            else:
                folders = before.folders
        except FileNotFoundError:  # it was moved on
            self.seen.pop(folder, None)
            return
        except OSError as error:
            self.on_skip(Path(folder), str(error.strerror))
            return
        for inner in folders:
            yield from self.below(inner, now)

    def entries(self, folder: str) -> tuple[tuple[str, ...], list[Path]]:
        """Return the folders and files in a folder, sorted."""
        folders, files = [], []
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if not entry.is_dir():
                    files.append(Path(entry.path))
                elif entry.is_symlink():
                    self.on_skip(Path(entry.path), LINKED_FOLDER)
                else:
                    folders.append(entry.path)
        return tuple(folders), files
