"""Tests of the small pictures of a page."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from containers.photo.thumbnails import FORMS, PAGE_BYTES, PICTURE_BYTES, thumbnail, thumbnails

NUMBER = [[1000, 700], [1400, 700], [1400, 760], [1000, 760]]


def picture(address: str) -> Image.Image:
    """Return the picture of a data address."""
    data = address.removeprefix("data:image/webp;base64,")
    assert len(data) < len(address)
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")


@pytest.fixture
def photo(here) -> str:
    """Write a large grey photo with a red plate where the number is."""
    image = Image.new("RGB", (2400, 1600), "grey")
    image.paste("red", (1000, 700, 1400, 760))
    image.save("photo.jpg")
    return "photo.jpg"


def test_a_picture_is_cut_round_the_number(photo):
    image = picture(thumbnail(photo, NUMBER, PICTURE_BYTES))
    red = np.asarray(image)[..., 0] > 200
    assert red.any(0).mean() == pytest.approx(400 / 560, abs=0.03), "its length, and a margin"
    assert red.any(1).mean() == pytest.approx(60 / 220, abs=0.05)


def test_without_a_box_or_with_one_outside_it_shows_all_of_the_photo(photo):
    outside = [[5000, 0], [5100, 0], [5100, 9], [5000, 9]]
    point = [[7, 7]] * 4
    for box in ([], outside, point):
        image = picture(thumbnail(photo, box, PICTURE_BYTES))
        assert image.width == FORMS[0][0]
        assert image.width / image.height == pytest.approx(1.5, abs=0.02)


def test_the_box_is_one_on_the_upright_photo(photo):
    image, exif = Image.open(photo), Image.Exif()
    exif[0x0112] = 6  # lies on its side
    image.transpose(Image.Transpose.ROTATE_90).save("side.jpg", exif=exif)
    small = [thumbnail(name, NUMBER, PICTURE_BYTES) for name in (photo, "side.jpg")]
    one, other = (np.asarray(picture(each)) for each in small)
    assert one.shape == other.shape
    assert np.abs(one.astype(int) - other).mean() < 6


def test_a_picture_takes_no_more_bytes_than_it_may(here):
    noise = np.random.default_rng(0).integers(0, 255, (900, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save("noise.png")
    for most in (PICTURE_BYTES, 3000):
        address = thumbnail("noise.png", [], most)
        assert len(address) < most * 4 / 3 + 40
        assert picture(address).width >= FORMS[-1][0]


def test_many_pictures_fit_the_page_and_what_is_no_photo_is_none(photo, here):
    Path("bad.jpg").write_text("no photo")
    names = ["bad.jpg", "gone.jpg", *[photo] * 40]
    found = list(thumbnails([(name, ()) for name in names]))
    assert found[:2] == ["", ""]
    assert all(found[2:])
    assert sum(map(len, found)) < PAGE_BYTES
