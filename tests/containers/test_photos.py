"""Tests of photos as they come: odd modes, odd files, odd names."""

import errno
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from containers.basis.errors import ImageError, UserError
from containers.data.arrivals import Arrivals
from containers.photo import formats
from containers.photo.files import find_image, list_images
from containers.photo.opening import open_photo, to_jpeg, to_rgb
from containers.photo.windows import Window, see


@pytest.fixture
def gradient() -> Image.Image:
    """Return 64 by 32 pixels, dark at the left, light at the right."""
    return Image.linear_gradient("L").rotate(90).resize((64, 32)).convert("RGB")


def mean_difference(a: Image.Image, b: Image.Image) -> float:
    """Return the mean absolute difference of two RGB images, 0 to 255."""
    pairs = zip(a.tobytes(), b.tobytes(), strict=True)
    return sum(abs(x - y) for x, y in pairs) / len(a.tobytes())


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"]
)
def test_every_mode_becomes_rgb_that_looks_the_same(mode, gradient):
    source = (
        gradient.quantize() if mode == "PA" else gradient.convert("L" if "L" in mode else "RGB")
    )
    image = gradient.quantize() if mode == "P" else source.convert(mode)
    converted = to_rgb(image)
    assert converted.mode == "RGB"
    small = [picture.resize((8, 4)) for picture in (converted, gradient)]  # dithering evens out
    assert mean_difference(*small) < 8


@pytest.mark.parametrize(
    ("mode", "white"), [("I;16", 65535), ("I;16", 4095), ("I", 65535), ("F", 1), ("F", 255)]
)
def test_deep_greyscale_is_scaled_not_clipped(mode, white, gradient):
    levels = gradient.convert("L").convert("F").point(lambda value: value * (white / 255) + 0)
    deep = levels if mode == "F" else levels.convert("I")
    if mode == "I;16":
        deep = Image.frombytes(
            "I;16",
            deep.size,
            b"".join(int(value).to_bytes(2, "little") for value in deep.getdata()),
        )
    assert mean_difference(to_rgb(deep), gradient) < 2


def test_a_sixteen_bit_png_looks_right(here, gradient):
    levels = b"".join(bytes((value, value)) for value in gradient.convert("L").tobytes())
    Image.frombytes("I;16", gradient.size, levels).save("deep.png")
    assert mean_difference(open_photo("deep.png")[0], gradient) < 2


def test_what_is_upright_rgb_is_not_copied(gradient):
    photo = gradient.convert("RGB")
    assert to_rgb(photo) is photo


def test_transparent_pixels_are_white():
    assert to_rgb(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 7)
    palette.info["transparency"] = 7
    assert to_rgb(palette).getpixel((0, 0)) == (255, 255, 255)


def test_exif_that_cannot_be_parsed_does_not_cost_the_photo(here, gradient):
    gradient.save("odd.png", exif=b"Exif\0\0garbagegarbage")
    assert mean_difference(open_photo("odd.png")[0], gradient) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation, here):
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("red", (0, 0, 10, 10))  # top left
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's transpositions that bring it about
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save("photo.png", exif=exif)
    loaded = open_photo("photo.png")[0]
    assert loaded.size == (40, 20)
    assert loaded.getpixel((2, 2)) == (255, 0, 0)


def test_cmyk_jpeg_looks_right(here, gradient):
    gradient.convert("CMYK").save("print.jpg", quality=95)
    assert mean_difference(open_photo("print.jpg")[0], gradient) < 6


@pytest.mark.parametrize(
    ("least", "part", "decoded"),
    [
        ((192, 128), None, (400, 300)),
        ((192, 128), (400, 300), (1600, 1200)),
        ((192, 128), (800, 600), (800, 600)),
        ((192, 128), (192, 600), (3200, 2400)),
        ((192, 128), (100, 60), (3200, 2400)),
        ((192, 128), (3200, 1025), (400, 300)),
    ],
)
def test_a_jpeg_is_decoded_as_small_as_the_part_that_is_needed_allows(least, part, decoded, here):
    Image.new("RGB", (3200, 2400), "red").save("photo.jpg")
    image, size = open_photo("photo.jpg", least, part)
    assert image.size == decoded
    assert size == (3200, 2400)


@pytest.mark.parametrize("part", [None, Window(1280, 512, 1280, 512)])
def test_a_photo_in_memory_is_seen_as_its_jpeg_is(part, here):
    """Of dots that only averaging shows alike: what is sharper or softer by a bit differs by 2."""
    dots = np.random.default_rng(0).integers(0, 2, (1024, 2560, 3), np.uint8) * 255
    Image.fromarray(dots).save("photo.jpg", quality=95, subsampling=0)
    decoded, _ = open_photo("photo.jpg")
    decoded.save("photo.png")
    of_file, size = see("photo.jpg", part, (320, 128))
    for photo in (decoded, np.asarray(decoded), "photo.png"):
        seen, own = see(photo, part, (320, 128))
        assert own == size
        assert mean_difference(seen, of_file) < 0.6


def break_file(path: str, kind: str) -> None:
    """Leave a file at `path` that is no whole photo."""
    Image.effect_noise((400, 300), 80).save("whole.jpg")
    whole = open("whole.jpg", "rb").read()
    broken = {
        "empty": b"",
        "text": b"this is a text file\n",
        "truncated": whole[: len(whole) // 2],
        "header only": whole[:20],
        "damaged png": b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
    }
    open(path, "wb").write(broken[kind])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty file"),
        ("text", "not an image"),
        ("truncated", "truncated"),
        ("header only", "not an image|truncated|damaged"),
        ("damaged png", "not an image|damaged"),
    ],
)
def test_an_unreadable_image_says_why(kind, reason, here):
    break_file("photo.jpg", kind)
    with pytest.raises(ImageError, match=reason):
        open_photo("photo.jpg")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.gif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.tif", {"compression": "tiff_deflate"}),
        ("a.icns", {}),
        ("a.webp", {}),
        ("a.jp2", {}),
    ],
)
def test_a_picture_that_opens_but_cannot_be_decoded_is_an_error(name, options, here, capfd):
    """Cut, or zeros from a place on: what Pillow cannot decode is never a picture."""
    Image.effect_noise((128, 128), 80).convert("RGB").save(name, **options)
    whole, refused = Path(name).read_bytes(), 0
    places = [*range(16, len(whole), len(whole) // 40), *range(-16, -1)]
    for damaged in (whole[:p] + bytes(k * len(whole[p:])) for p in places for k in (0, 1)):
        Path(name).write_bytes(damaged)
        try:
            with Image.open(name) as image:
                image.load()
            decodes = True
        except Exception:
            decodes = False
            refused += 1
        capfd.readouterr()
        try:
            open_photo(name)
            assert decodes, f"{name}: {len(damaged.rstrip(bytes(1)))} bytes"
        except ImageError:
            assert not decodes
        assert capfd.readouterr().err == "", "libtiff has written its own lines"
    assert refused, "none was damaged enough"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files there")
def test_what_is_no_file_is_not_waited_for(here):
    os.mkfifo("pipe.jpg")
    for name in ("pipe.jpg", "/dev/zero"):
        with pytest.raises(ImageError, match="a device or pipe, not a file"):
            open_photo(name)


def test_a_missing_image_and_a_folder_say_so(here):
    with pytest.raises(ImageError, match="no such file"):
        open_photo("missing.jpg")
    os.mkdir("folder.jpg")
    with pytest.raises(ImageError):
        open_photo("folder.jpg")


def test_a_picture_30000_pixels_wide_is_read(here):
    Image.new("RGB", (30_000, 200), "blue").save("wide.png")
    assert open_photo("wide.png")[0].size == (30_000, 200)


def test_a_decompression_bomb_is_refused_in_words(here, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (100, 100)).save("bomb.png")
    with pytest.raises(ImageError, match="million pixels"):
        open_photo("bomb.png")


def test_images_are_listed_sorted_with_slashes_and_without_hidden_files(here):
    for name in ("b.jpg", "a.PNG", "sub dir/컨테이너.jpeg", "._a.jpg", "notes.txt"):
        path = here / "image" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert list_images("./image") == ["image/a.PNG", "image/b.jpg", "image/sub dir/컨테이너.jpeg"]


def test_nothing_in_a_folder_is_passed_over_in_silence(here, monkeypatch, capsys):
    monkeypatch.setattr(formats, "has_heif", lambda: False)
    others = ("d.heic", "e.HEIC", "f.zip", "g.dng", "h.txt", "README")
    for name in ("a.jfif", "private/b.jpg", "elsewhere/c.jpg", *others):
        path = here / ("image" if "elsewhere" not in name else "") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (here / "image/link").symlink_to(here / "elsewhere")
    (here / "image/gone.jpg").symlink_to("nowhere")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "private":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert list_images("image") == ["image/a.jfif", "image/gone.jpg"]
    assert sorted(capsys.readouterr().err.splitlines()) == [
        "warning: image/link is passed over: a link to a folder: name that folder itself to have "
        "it read",
        "warning: image/private is passed over: Permission denied",
        "warning: passed over in image: 1 .dng (save them as JPEG to have them read), 2 .heic (pip "
        "install pillow-heif to have them read), 1 .zip (unpack it first), 1 .txt, 1 without an "
        "ending",
    ]
    clock = Arrivals(Path("image"), [])
    assert clock.at_rest(0.0) == clock.at_rest(0.5) == []
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(set(said)) == 5, "each once"
    assert "warning: *.heic is passed over: pip install pillow-heif to have them read" in said
    assert clock.at_rest(9.0) == ["image/a.jfif"]


def test_a_folder_without_images_says_what_it_holds(here):
    (here / "photos.zip").touch()
    with pytest.raises(UserError, match=r"1 \.zip \(unpack it first\); these are read: .*\.jpg"):
        list_images(here)


def test_what_is_no_loss_is_counted_without_a_warning(here, capsys):
    for name in ("a.jpg", "notes.txt"):
        (here / name).touch()
    assert list_images(here) == ["a.jpg"]
    assert capsys.readouterr().err == f"passed over in {here}: 1 .txt\n"


def test_an_image_is_found_from_here_else_from_the_json_file(here):
    (here / "data").mkdir()
    for name in ("a.jpg", "data/b.jpg", "data/한글.jpg"):
        (here / name).touch()
    assert find_image("a.jpg", here / "data").samefile("a.jpg")
    assert find_image("b.jpg", here / "data").samefile("data/b.jpg")
    assert find_image("data\\b.jpg", here).samefile("data/b.jpg")
    decomposed = "\u1112\u1161\u11ab\u1100\u1173\u11af.jpg"  # as a Mac spells it
    assert find_image(decomposed, here / "data").samefile("data/한글.jpg")
    with pytest.raises(ImageError, match="no such file"):
        find_image("c.jpg", here)


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (300, 200), (9000, 30)])
def test_a_photo_as_jpeg_is_upright_no_larger_than_asked_and_tells_its_own_size(size, here):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", size, "red").save("photo.jpg", exif=exif)
    data, own = to_jpeg("photo.jpg", 1920)
    image = Image.open(io.BytesIO(data))
    assert own == size[::-1]
    assert image.format == "JPEG"
    assert max(image.size) == min(1920, max(size))
    assert image.width / image.height == pytest.approx(own[0] / own[1], rel=0.1)


@pytest.mark.parametrize(
    ("photo", "given"),
    [
        (np.zeros((40, 60), np.uint8), "an array of 40 x 60, uint8"),
        (np.zeros((40, 60, 4), np.uint8), "an array of 40 x 60 x 4, uint8"),
        (np.zeros((3, 40, 60), np.uint8), "an array of 3 x 40 x 60, uint8"),
        (np.zeros((40, 60, 3), np.float32), "an array of 40 x 60 x 3, float32"),
        (np.zeros((0, 60, 3), np.uint8), "an array of 0 x 60 x 3, uint8"),
        (b"\xff\xd8", "bytes"),
        (["a.jpg"], "list"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_photo_names_what_is(photo, given):
    accepted = "the path of a file, a PIL image or a numpy array (RGB, height x width x 3, uint8)"
    with pytest.raises(ImageError, match=re.escape(f"a photo is {accepted}, not {given}")):
        open_photo(photo)
