"""Tests of photos in the formats of phones and cameras, and of files that are none."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import NUMBER, draw_photo
from PIL import Image

from containers.basis.errors import ImageError
from containers.photo import formats
from containers.photo.files import list_images
from containers.photo.opening import check_image, open_photo
from containers.photo.windows import Window, see


@pytest.mark.parametrize("name", ["phone.heic", "renamed.jpg", "shared.avif"])
def test_the_photos_of_phones_are_read_in_folders_and_alone(name, here):
    formats.add_heif()
    draw_photo(here / "a.png", NUMBER, (640, 480))
    kind = "AVIF" if name.endswith(".avif") else "HEIF"
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.open("a.png").save(name, kind, exif=exif.tobytes())
    assert name in list_images(here)
    image, size = open_photo(name)
    assert image.size == size == (480, 640)
    turned = np.asarray(Image.open("a.png").convert("RGB").rotate(-90, expand=True), np.float32)
    assert np.abs(np.asarray(image, np.float32) - turned).mean() < 8, "but for the lossy format"


def test_a_heic_photo_without_pillow_heif_and_an_archive_name_the_remedy(here, monkeypatch):
    monkeypatch.setattr(formats, "has_heif", lambda: False)
    Path("a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(ImageError, match="a HEIC photo: pip install pillow-heif"):
        check_image("a.heic")
    with zipfile.ZipFile("photos.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
    with pytest.raises(ImageError, match="an archive: unpack it first"):
        check_image("photos.zip")


@pytest.mark.parametrize("name", ["pages.tif", "stereo.mpo", "stereo.jpg"])
def test_the_first_of_several_pictures_in_a_file_is_the_photo(name, here):
    first, second = Image.new("RGB", (640, 480), "red"), Image.new("RGB", (640, 480), "blue")
    kind = "TIFF" if name.endswith("tif") else "MPO"
    first.save(name, kind, save_all=True, append_images=[second])
    assert list_images(here) == [name]
    for least in (None, (64, 48)):
        image, size = open_photo(name, least)
        assert (image.getpixel((5, 5))[0] > 250, size) == (True, (640, 480))


def test_a_panorama_of_16_megapixels_is_seen_whole_and_nearby(here):
    Image.new("RGB", (16000, 1000), "red").save("panorama.jpg")
    for window in (None, Window(15000, 500, 900, 400)):
        image, size = see("panorama.jpg", window, (96, 64))
        assert (image.size, size) == ((96, 64), (16000, 1000))
        assert image.getpixel((48, 32))[0] > 250
