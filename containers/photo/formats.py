"""Which files are photos, by the ends of their names, and what to do about those that are none."""

from __future__ import annotations

import functools
import importlib.util
from collections import Counter
from pathlib import Path

# What Pillow opens; the first picture of those that hold several.
PILLOW_OPENS = {
    *(".jpg", ".jpeg", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif"),
}
HEIC = {".heic", ".heif", ".hif"}  # as phones save them, for which Pillow needs pillow-heif
CAMERA = {".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw"}  # photos as well, which nothing opens
ARCHIVES = {".zip", ".rar", ".7z", ".tar", ".tgz", ".gz"}
INSTALL = "pip install pillow-heif to have them read"
UNPACK = "unpack it first"
BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")  # of a HEIC file, inside


@functools.cache
def has_heif() -> bool:
    """Tell whether pillow-heif is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


@functools.cache
def add_heif() -> None:
    """Have Pillow open HEIC photos from now on, where pillow-heif is installed."""
    if has_heif():
        import pillow_heif

        pillow_heif.register_heif_opener()


def photo_suffixes() -> set[str]:
    """Return the ends of the names of files that can be read here."""
    return PILLOW_OPENS | HEIC if has_heif() else PILLOW_OPENS


def is_photo(path: Path) -> bool:
    """Tell by its name whether a file is a photo that can be read here."""
    return path.suffix.lower() in photo_suffixes()


def remedy_of(path: Path) -> str:
    """Return what has the photos read that a file of another kind holds; nothing: it holds none."""
    suffix = path.suffix.lower()
    if suffix in ARCHIVES:
        return UNPACK
    if suffix in HEIC and not has_heif():
        return INSTALL
    return "save them as JPEG to have them read" if suffix in CAMERA else ""


def count_kinds(files: list[Path]) -> str:
    """Return how many files are of each kind, in words, each with what has its photos read."""
    kinds = Counter(file.suffix.lower() or "without an ending" for file in files)
    remedies = {file.suffix.lower(): remedy_of(file) for file in files}
    ordered = sorted(kinds, key=lambda kind: (not remedies.get(kind), kind))
    said = {kind: f" ({remedies[kind]})" if remedies.get(kind) else "" for kind in kinds}
    return ", ".join(f"{kinds[kind]:,} {kind}{said[kind]}" for kind in ordered)


def why_unreadable(path: Path) -> str:
    """Return why Pillow knows no image in a file."""
    with path.open("rb") as file:
        head = file.read(12)
    if not head:
        return "empty file"
    if head[4:8] == b"ftyp" and head[8:12] in BRANDS and not has_heif():
        return "a HEIC photo: pip install pillow-heif to have it read"
    if remedy_of(path) == UNPACK:
        return f"an archive: {UNPACK}"
    return "not an image that Pillow can read"
