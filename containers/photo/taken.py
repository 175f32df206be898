"""When a photo was taken, as the camera wrote it into the file."""

from __future__ import annotations

import re
from pathlib import Path

from containers.basis.errors import ImageError
from containers.photo.opening import opening

WRITTEN = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")  # by EXIF 2.32, 4.6.5
ZONE = re.compile(r"[+-]\d\d:\d\d")


def taken_at(path: Path | str) -> str:
    """Return when a photo was taken, by ISO 8601; empty: the file does not say.

    Without a zone, it is the clock of the camera.
    """
    from PIL import ExifTags, Image

    try:
        with opening(path), Image.open(path) as image:
            exif = image.getexif()
            detail = exif.get_ifd(ExifTags.IFD.Exif)
    except ImageError:
        return ""
    tags = ExifTags.Base
    times = detail.get(tags.DateTimeOriginal), exif.get(tags.DateTime)
    zones = detail.get(tags.OffsetTimeOriginal), detail.get(tags.OffsetTime)
    for time, zone in zip(times, zones):
        if isinstance(time, str) and (found := WRITTEN.match(time)):
            year, month, day, clock = found.groups()
            known = zone if isinstance(zone, str) and ZONE.fullmatch(zone) else ""
            return f"{year}-{month}-{day}T{clock}{known}"
    return ""
