"""Find photos, in folders and by the names that files give them; one key for all its names."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from containers.basis.errors import FlagError, ImageError, UserError
from containers.basis.files import relative_path
from containers.basis.talk import log
from containers.photo.formats import (
    count_kinds,
    is_photo,
    photo_suffixes,
    remedy_of,
)

Stamp: TypeAlias = tuple[int, int]  # of a file: size in bytes, time of the last change in ns
NO_SUCH_FILE = "no such file"
LINKED_FOLDER = "a link to a folder: name that folder itself to have it read"


class PassedOver:
    """What stands in a folder of photos and is not read: each is said once."""

    def __init__(self) -> None:
        self.told: set[Path] = set()

    def __call__(self, path: Path, reason: str) -> None:
        """Say what is passed over and why, for the first time."""
        if path not in self.told:
            self.told.add(path)
            log.warning(f"{relative_path(path)} is passed over: {reason}")

    def by_kind(self, path: Path) -> None:
        """Say, once for each kind of file, what has its photos read, if it holds any."""
        if remedy := remedy_of(path):
            self(Path(f"*{path.suffix.lower()}"), remedy)


def list_images(folder: Path | str) -> list[str]:
    """Return the images in `folder` and below, as `relative_path`s, sorted.

    Raises `FlagError` where there is no such folder, `UserError` where it holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        kind = "is a file, not a folder" if folder.exists() else "no such folder"
        raise FlagError(f"{folder}: {kind}; name the folder that holds your photos")
    files = list(files_below(folder, PassedOver()))
    images = [file for file in files if is_photo(file)]
    others = [file for file in files if not is_photo(file)]
    if not images:
        holds, read = count_kinds(others) or "nothing", " ".join(sorted(photo_suffixes()))
        raise UserError(f"no image in {folder}; it holds {holds}; these are read: {read}")
    if others:
        degree = "warning: " if any(map(remedy_of, others)) else ""
        log.info(f"{degree}passed over in {folder}: {count_kinds(others)}")
    return sorted(map(relative_path, images))


def images_in(folder: Path, on_skip: PassedOver | None = None) -> list[str]:
    """Return what `list_images` does; nothing where there is none, or no folder."""
    images = []
    for file in files_below(folder, on_skip):
        if is_photo(file):
            images.append(relative_path(file))
        elif on_skip:
            on_skip.by_kind(file)
    return sorted(images)


def files_below(folder: Path, on_skip: PassedOver | None = None) -> Iterator[Path]:
    """Yield the files in `folder` and below, but for hidden ones; none where it is not there.

    `on_skip` is told of folders that cannot be entered, or are not for they are links. What calls
    itself an image is yielded, too, where it is no file: who opens it says so.
    """
    tell = on_skip or (lambda path, reason: None)

    def refused(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # it was moved on
            tell(Path(error.filename), str(error.strerror))

    for parent, folders, names in os.walk(folder, onerror=refused):
        folders[:] = (name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in folders):
            if path.is_symlink():
                tell(path, LINKED_FOLDER)
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            if is_photo(path) or path.is_file():
                yield path


def stamp_of(path: Path | str) -> Stamp | None:
    """Return what is another as soon as a file is, or None where it is not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def find_image(image_path: str, folder: Path) -> Path:
    """Return where an image listed in a JSON file is: from the working directory, else `folder`.

    Raises `ImageError` where it is in neither.
    """
    bases = dict.fromkeys((os.curdir, os.fspath(folder)))
    for path in (os.path.join(base, name) for base in bases for name in spellings(image_path)):
        if os.path.isfile(path):  # no, for a name that no system allows, either
            return Path(path)
    hint = "" if image_path.isprintable() else " (write / between folders, not a backslash)"
    raise ImageError(f"{NO_SUCH_FILE}{hint}")


def spellings(path: str) -> list[str]:
    """Return the ways to write a path, its own first; Korean names of a Mac come decomposed."""
    if path.isascii() and "\\" not in path:
        return [path]
    ways = path, path.replace("\\", "/")
    forms = [unicodedata.normalize(form, way) for form in ("NFC", "NFD") for way in ways]
    return list(dict.fromkeys([*ways, *forms]))


def photo_key(image_path: str, folder: Path) -> str:
    """Return one spelling for all names of a photo: the real file's, or else a plain path.

    Files whose names look alike are told apart where both are there.
    """
    try:
        real = Path(os.path.realpath(find_image(image_path, folder))).as_posix()
    except ImageError:
        plain = os.path.normpath(image_path.replace("\\", "/")).replace(os.sep, "/")
        return unicodedata.normalize("NFC", plain)
    forms = {unicodedata.normalize(form, real) for form in ("NFC", "NFD")} - {real}
    if any(os.path.exists(form) and not os.path.samefile(form, real) for form in forms):
        return real
    return unicodedata.normalize("NFC", real)
