"""Open a photo, whatever its format: upright, in RGB, no larger than need be; or say why not."""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from containers.basis.errors import ImageError, one_line
from containers.basis.files import require_file
from containers.photo.files import NO_SUCH_FILE
from containers.photo.formats import add_heif, why_unreadable

if TYPE_CHECKING:  # heavy: imported where an image is really opened
    import numpy as np
    from PIL import Image

# What can be read; an array is RGB, height x width x 3, uint8.
Photo: TypeAlias = "Path | str | Image.Image | np.ndarray"


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

    With `least`, (width, height), a large one comes at a half, a quarter or an eighth, as long as
    that is no smaller, either way round; with a `part` of it, (width, height) in its own pixels, as
    long as that part is not. A JPEG is decoded so, others are reduced: models see both alike.
    Raises `ImageError`.
    """
    from PIL import Image

    if isinstance(photo, (str, Path)):
        with opening(photo), Image.open(photo) as image:
            size, scale = image.size, scale_of(image.size, least, part)
            image.draft("RGB", (math.ceil(scale * size[0]), math.ceil(scale * size[1])))
            upright = to_rgb(image)
            whole = size if upright.size == image.size else size[::-1]
    else:
        own = to_image(photo)
        with opening(getattr(own, "filename", "")):
            upright = to_rgb(own)
        whole, scale = upright.size, scale_of(upright.size, least, part)
    larger = upright.width / whole[0] / scale
    times = next(times for times in (8, 4, 2, 1) if times <= max(1, larger))  # as a JPEG's may be
    return (upright.reduce(times) if times > 1 else upright), whole


def scale_of(
    size: tuple[int, int], least: tuple[int, int] | None, part: tuple[float, float] | None
) -> float:
    """Return how much smaller a photo of this size may come, see `open_photo`; 1: not at all."""
    if not least:
        return 1.0
    pairs = zip(least, part) if part else [(max(least), min(size))]
    return min(1.0, max(fewest / side for fewest, side in pairs))


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
