"""Find photos, name them and open them: upright RGB, or an `ImageError` that says why not."""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from containers.basis.errors import FlagError, ImageError, UserError, one_line
from containers.basis.files import relative_path, require_file
from containers.basis.talk import log
from containers.photo.formats import (
    add_heif,
    count_kinds,
    is_photo,
    photo_suffixes,
    remedy_of,
    why_unreadable,
)

if TYPE_CHECKING:  # heavy: imported where an image is really opened
    import numpy as np
    from PIL import Image

# What can be read; an array is RGB, height x width x 3, uint8.
Photo: TypeAlias = "Path | str | Image.Image | np.ndarray"
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


@contextlib.contextmanager
def opening(path: Path | str) -> Iterator[None]:
    """Turn whatever Pillow raises for a file into an `ImageError` with the reason."""
    from PIL import Image, UnidentifiedImageError

    try:
        if path:
            require_file(path)
            add_heif()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large photos and odd EXIF are no news to the user
            yield
    except FileNotFoundError:
        raise ImageError(NO_SUCH_FILE) from None
    except UnidentifiedImageError:
        raise ImageError(why_unreadable(Path(path))) from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise ImageError(f"over {limit} million pixels; make it smaller") from None
    except Exception as error:  # a decoder given damaged bytes raises whatever it meets
        reason = getattr(error, "strerror", None) or f"damaged image: {one_line(error)}"
        raise ImageError(reason) from None


def check_image(path: Path | str) -> None:
    """Raise `ImageError` unless a photo can be decoded; a JPEG is only decoded small."""
    from PIL import Image

    with opening(path), Image.open(path) as image:
        image.draft("RGB", (64, 64))
        load(image)


def is_whole(path: Path | str) -> bool:
    """Tell whether a photo can be decoded."""
    try:
        check_image(path)
    except ImageError:
        return False
    return True


def load(image: Image.Image) -> None:
    """Decode an image; libtiff, which writes to stderr by itself, is kept from that."""
    if image.format != "TIFF":
        image.load()
        return
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        image.load()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


def open_photo(
    photo: Photo,
    least: tuple[int, int] | None = None,
    part: tuple[float, float] | None = None,
) -> tuple[Image.Image, tuple[int, int]]:
    """Return a photo as upright RGB, and its own (width, height).

    With `least`, (width, height), a large JPEG is decoded at a half, a quarter or an eighth, as
    long as that is no smaller, either way round; with a `part` of it, (width, height) in its own
    pixels, as long as that part is not. Raises `ImageError`.
    """
    from PIL import Image

    if not isinstance(photo, (str, Path)):
        image = to_image(photo)
        with opening(getattr(image, "filename", "")):
            upright = to_rgb(image)
        return upright, upright.size
    with opening(photo), Image.open(photo) as image:
        size = image.size
        if least:
            pairs = zip(least, part) if part else [(max(least), min(size))]
            scale = max(fewest / side for fewest, side in pairs)
            image.draft("RGB", (math.ceil(scale * size[0]), math.ceil(scale * size[1])))
        upright = to_rgb(image)
        return upright, size if upright.size == image.size else size[::-1]


def to_image(photo: Image.Image | np.ndarray) -> Image.Image:
    """Return a PIL image itself, or that of an array; raises `ImageError` for anything else."""
    import numpy as np
    from PIL import Image

    if isinstance(photo, Image.Image):
        return photo
    given = type(photo).__name__
    if isinstance(photo, np.ndarray):
        if photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3 and photo.size:
            return Image.fromarray(np.ascontiguousarray(photo))
        given = f"an array of {' x '.join(map(str, photo.shape))}, {photo.dtype}"
    raise ImageError(
        "a photo is the path of a file, a PIL image or a numpy array (RGB, height x width x 3, "
        f"uint8), not {given}"
    )


def to_jpeg(path: Path | str, longest: int) -> tuple[bytes, tuple[int, int]]:
    """Return a photo as the bytes of an upright JPEG, and its own (width, height).

    Its longer side has at most so many pixels. Raises `ImageError`.
    """
    image, size = open_photo(path, (longest * 3 // 4, longest * 3 // 4))
    image.thumbnail((longest, longest))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue(), size


def squash(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an image resized to (width, height), whatever its shape: what the model sees."""
    from PIL import Image

    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return any PIL image as RGB: upright by EXIF, alpha over white, 16 bits scaled to 8.

    One that is so already is returned itself: a copy takes as long as decoding a JPEG.
    """
    from PIL import ExifTags, Image, ImageOps

    load(image)  # here: what a damaged photo raises is no fault of its EXIF
    with contextlib.suppress(Exception):  # EXIF that cannot be parsed: the photo as it lies
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        pixels = image.convert("F")
        peak: Any = pixels.getextrema()[1]  # a number, as it has one band
        white = next((w for w in (1, 255, 4095, 65535) if peak <= w), peak)  # 8, 12 or 16 bits
        image = pixels.point(lambda value: value * (255 / white) + 0.5).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")
