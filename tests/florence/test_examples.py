"""Tests of what is learnt from."""

import json
import math
import random
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, error_line, train
from PIL import Image, ImageChops

from containers.basis.errors import UserError
from containers.data.labels import Example
from containers.photo.windows import Window
from florence.examples import READABLE_OPERATIONS, augment, shake, warn_of_overlap


def test_augmentation_leaves_a_number_readable():
    assert not {"Invert", "Rotate", "Posterize", "Solarize"} & set(READABLE_OPERATIONS)
    assert not [name for name in READABLE_OPERATIONS if name.startswith(("Shear", "Translate"))]
    image = Image.new("RGB", (64, 64), (200, 200, 200))
    image.paste((40, 60, 120), (16, 16, 48, 48))
    views = [augment(image, str(chance)) for chance in range(40)]
    assert len({view.tobytes() for view in views}) > 20
    assert all(view.tobytes() != image.tobytes() for view in views)
    for view in views:  # the same edges: light outside, dark inside
        edges = [view.convert("L").getpixel((x, 32)) for x in (8, 32)]
        assert edges[0] - edges[1] > 30
        assert not ImageChops.difference(view, view.transpose(Image.Transpose.ROTATE_180)).getbbox()


def test_a_view_is_drawn_by_its_name_alone_and_disturbs_no_other_chance():
    image = Image.effect_noise((64, 64), 40).convert("RGB")
    random.seed(5)
    expected = random.random()
    random.seed(5)
    first = augment(image, "photo 1 0").tobytes()
    assert random.random() == expected
    assert augment(image, "photo 1 0").tobytes() == first
    assert augment(image, "photo 2 0").tobytes() != first


def rows(**changes: str) -> str:
    """Return a data set of one row."""
    row = {"image": "image/train0.jpg", "prefix": "<OCR>", "suffix": "CSQU 305438 3"}
    return json.dumps([row | changes])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "at least one photo"),
        ("{}", "at least one photo"),
        ("[{]", "line 1, column 3"),
        ('[{"image": "image/train0.jpg"}]', "entry 1: needs image, prefix and suffix"),
        (rows(suffix="HELLO"), "suffix 'HELLO' cannot be a number (4 letters and 6 or 7 digits)"),
        (rows(suffix=" "), "suffix ' ' cannot be a number"),
        (rows(suffix="AB"), "suffix 'AB' cannot be a number"),
        (rows(suffix="CSQU 30543"), "cannot be a number"),
        (rows(suffix="CSQU 305438 3 45G1"), "cannot be a number"),
        (rows(suffix=f"CSQU{' ' * 99}305438"), "has 109 characters, more than 40"),
        (rows(suffix="CSQU\x1c305438"), "holds what cannot be printed"),
        ("[" * 100_000, "nested too deeply"),
        (rows(image="no.jpg"), "no.jpg: no such file"),
        (rows(prefix="<OD>"), "must be '<OCR>'"),
    ],
)
def test_a_bad_data_set_is_one_line(content, reason, data, capsys):
    Path("dataset/train.json").write_text(content)
    assert train(data) == 1
    line = error_line(capsys.readouterr().err)
    assert "train.json" in line
    assert reason in line


def test_photos_that_broke_after_preparation_are_all_reported_before_training(data, capsys):
    Path("image/train3.jpg").write_bytes(b"")
    Path("image/train4.jpg").unlink()
    assert train(data) == 1
    err = capsys.readouterr().err
    assert "train.json, entry 4: image/train3.jpg: empty file" in err
    assert "train.json, entry 5: image/train4.jpg: no such file" in err
    assert "device: " not in err


def test_a_shaken_window_holds_what_stands_in_its_middle():
    window = Window(300, 200, 240, 120, 90)
    shaken = [shake(window, str(chance)) for chance in range(200)]
    assert len(set(shaken)) == 200
    assert shake(window, "7") == shaken[7]
    for other in shaken:
        assert abs(other.angle - 90) <= 3
        assert 0.92 <= other.length / window.length <= 1.1
        assert other.length / other.height == pytest.approx(2)
        turn = math.radians(other.angle)
        for x, y in (window.at(a, b) for a in (0.12, 0.88) for b in (0.15, 0.85)):
            along = (x - other.x) * math.cos(turn) + (y - other.y) * math.sin(turn)
            across = (y - other.y) * math.cos(turn) - (x - other.x) * math.sin(turn)
            assert abs(along) < other.length / 2
            assert abs(across) < other.height / 2


def test_a_container_on_both_sides_is_a_warning(data, capsys):
    rows = json.loads(Path("dataset/train.json").read_text())
    Path("dataset/val.json").write_text(json.dumps(rows[:1]))
    assert train(data, "--max_steps", "1", "--no-cache") == 0
    assert "warning: 1 container (CSQU305438) in training and" in capsys.readouterr().err


def test_a_photo_with_two_labels_is_an_error_and_one_listed_twice_is_counted(here, capsys):
    (here / "link.jpg").symlink_to("a.jpg")
    a, again, link = (Example(Path(n), NUMBER) for n in ("a.jpg", "./a.jpg", "link.jpg"))
    warn_of_overlap([a, again], [Example(Path("b.jpg"), OTHER)])
    assert "warning: 1 photo listed more than once" in capsys.readouterr().err
    other = Example(link.image_path, OTHER)
    for sides in ([a, other], []), ([a], [other]):
        with pytest.raises(UserError, match=rf"link\.jpg .* two labels, {NUMBER} and {OTHER}"):
            warn_of_overlap(*sides)
