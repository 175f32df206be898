"""The demo: renders are what they say, training resumes, and the shipped model reads."""

import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT, rows_of, run, write_annotations
from stdnum import iso6346

from container_ocr import ContainerOCR, FinetunedContainerOCR
from containers.number.iso6346 import find_numbers
from containers.photo.files import open_photo
from demo import render, train
from demo.drawing import boxes, doors, ends, letters, markings, panels, walls, yards
from demo.drawing.camera import Window, aim
from demo.teaching import growth, lessons, sheets
from demo.teaching import samples as windows
from florence.inputs import PROMPT
from florence.loading import load_model

MODEL = ROOT / "small_model"
EVERY = 5  # of the samples, the demo is tried on one: on all of them it takes five times as long


def read_files(folder) -> dict[str, bytes]:
    """Return every file of a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- renders ----------------------------------------------------------------------------------


def test_a_seed_gives_the_same_photos_and_another_seed_others(here):
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        done = run("demo.render", "--count", 3, "--seed", seed, "--output", folder, cwd=here)
        assert done.returncode == 0, done.stderr
    a, b, c = (read_files(here / name / "image") for name in "abc")
    assert a == b
    assert len(a) == 3
    assert not set(a.values()) & set(c.values())


@pytest.mark.parametrize("layout", render.LAYOUTS)
def test_a_render_carries_a_valid_number_in_its_layout(layout):
    for name, photo in render.render_series(6, 1, layout):
        assert iso6346.is_valid(photo.number.replace(" ", "")), name
        (number,) = photo.lines
        assert "".join(c.character for c in number.letters) == photo.number.replace(" ", "")
        x, y = (np.array([getattr(c, axis) for c in number.letters]) for axis in "xy")
        x, y = x * photo.image.width, y * photo.image.height
        owner_to_serial = np.array((x[4:10].mean() - x[:4].mean(), y[4:10].mean() - y[:4].mean()))
        steps = np.array((x[9] - x[4], y[9] - y[4]))
        assert (abs(steps[1]) > abs(steps[0])) == (layout == "vertical"), name
        length = np.hypot(*steps)
        below = (steps[0] * owner_to_serial[1] - steps[1] * owner_to_serial[0]) / length
        assert (below > 0.5 * length / 5) == (layout == "two-line"), name


def test_the_number_stands_on_the_photo():
    for name, photo in render.render_series(12, 4):
        for letter in photo.lines[0].letters:
            assert 0 < letter.x - letter.width / 2 < letter.x + letter.width / 2 < 1, name
            assert 0 < letter.y - letter.height / 2 < letter.y + letter.height / 2 < 1, name


def test_views_of_one_container_share_its_number_and_the_head_of_the_name():
    numbers = {}
    for name, photo in render.render_series(30, 2, views=3):
        numbers.setdefault(name.split("_")[0], []).append(photo.number)
    assert max(map(len, numbers.values())) > 1
    assert all(len(set(seen)) == 1 for seen in numbers.values())
    assert len({seen[0] for seen in numbers.values()}) == len(numbers)


def test_a_render_without_a_number_has_none_in_its_text_or_label():
    for _, photo in render.render_series(8, 1, "none"):
        assert photo.number == ""
        assert photo.lines == ()
        assert set(render.label(photo.number).values()) == {"TODO"}


def test_from_afar_numbers_are_as_much_smaller():
    near, far = (
        [
            np.ptp([c.x for c in photo.lines[0].letters])
            for _, photo in render.render_series(5, 8, "horizontal", distance=distance)
        ]
        for distance in (1, 2)
    )
    assert np.median(near) / np.median(far) == pytest.approx(2, rel=0.35)


def test_annotations_of_renders_are_labels_that_prepare_takes(here):
    done = run("demo.render", "--count", 4, "--output", "renders", "--views", 2, cwd=here)
    assert done.returncode == 0, done.stderr
    flags = ("--mode", "prepare", "--annotation_file", "renders/annotations.json")
    done = run("prepare_dataset.py", *flags, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "4 labelled, 0 still TODO, 0 warnings" in done.stdout + done.stderr


# ---- letters and windows ----------------------------------------------------------------------


@pytest.mark.parametrize("layout", markings.LAYOUTS)
@pytest.mark.parametrize("face", range(0, len(letters.FACES), 5))
def test_all_ink_of_a_number_lies_in_the_boxes_of_its_letters(layout, face):
    rng = np.random.default_rng([face, 1])
    style, margin = letters.Style(face, 0.9, 0.2), 2
    block = markings.set_number(rng, "CSQU 305438 3", layout, style, 30, framed=0)
    mask = block.mask(margin)
    whole = mask.copy()
    for letter in (letter for line in block.lines for letter in line.letters):
        half_x, half_y = letter.width / 2, letter.height / 2
        x0, x1 = (round(letter.x + margin + side * half_x) for side in (-1, 1))
        y0, y1 = (round(letter.y + margin + side * half_y) for side in (-1, 1))
        part = whole[y0:y1, x0:x1]
        edges = part[:3], part[-3:], part[:, :3], part[:, -3:]
        assert min(int(edge.max()) for edge in edges) > 20, letter
        mask[y0:y1, x0:x1] = 0
    assert mask.max() == 0


ROWS = markings.LAYOUTS[:3]
PAINTERS = [
    *((doors.door_end, layout) for layout in ROWS),
    *((ends.tank_end, layout) for layout in ROWS),
    *((ends.machine_end, layout) for layout in ROWS),
    *((walls.front_end, layout) for layout in markings.LAYOUTS),
    *((walls.side, layout) for layout in markings.LAYOUTS),
]


@pytest.mark.parametrize(("paint", "layout"), PAINTERS)
def test_every_wall_carries_its_number_whole_and_nothing_is_painted_over_it(paint, layout):
    for seed in range(4):
        rng = np.random.default_rng([9, seed])
        panel = paint(rng, panels.random_coat(rng, "CSQU 305438 3"), layout)
        height, width = panel.texture.shape[:2]
        left, top, right, bottom = panel.number.box()
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for line in panel.lines:
            assert line is panel.number or not panels.is_taken(line.box(), [panel.number]), line


@pytest.mark.parametrize("layout", markings.LAYOUTS)
@pytest.mark.parametrize("kind", [windows.FAR, windows.MID, windows.NEAR])
def test_each_letter_is_seen_where_the_window_says(layout, kind):
    """Two renders of one window, in which one letter alone differs, differ there."""
    rng = np.random.default_rng([len(layout), len(kind)])
    scene = yards.new_scene(rng, panels.random_coat(rng, "CSQU 305438 3"), layout, 0.5)
    face = next(
        face for face in scene.main.faces() if face.panel is scene.main.panels[scene.target]
    )
    seen = next(line for line in boxes.lines_of(face, scene.camera) if line.line.is_number)
    window = windows.choose_window(rng, scene, [seen], kind)
    line, _ = windows.in_window(seen, window)
    before = scene.render(window, 384, 256).astype(int)
    for i in (0, 5, 10):
        painted, place = face.panel.number.letters[i], line.letters[i]
        texture = face.panel.texture.copy()
        x0, x1 = (round(painted.x + side * painted.width / 2) for side in (-1, 1))
        y0, y1 = (round(painted.y + side * painted.height / 2) for side in (-1, 1))
        texture[y0:y1, x0:x1] ^= 128
        other = dict(scene.main.panels)
        other[scene.target] = panels.Panel(texture, face.panel.scale, face.panel.lines)
        changed = dataclasses.replace(scene, main=dataclasses.replace(scene.main, panels=other))
        apart = np.abs(changed.render(window, 384, 256) - before).sum(2)
        y, x = np.nonzero(apart > 40)
        reach = 2 + 0.25 * max(place.width * 384, place.height * 256)
        assert abs((x.mean() + 0.5) - place.x * 384) < reach, (i, place)
        assert abs((y.mean() + 0.5) - place.y * 256) < reach, (i, place)


@pytest.mark.parametrize("bend", [0.0, 0.05, 0.35])
def test_a_lens_bends_and_straightens_alike(bend):
    camera = aim(np.array((0.0, 2e3, -8e3)), np.zeros(3), (300, 200), (640, 480), 500, 0.1, bend)
    points = np.random.default_rng(1).uniform(-1500, 1500, (50, 3))
    pixels, depth = camera.project(points)
    assert depth.min() > 0
    flat = (points - camera.place) @ camera.axes.T
    expected = flat[:, :2] / flat[:, 2:] * camera.focal
    assert np.allclose(np.stack(camera.straighten(*pixels.T), 1), expected, atol=1e-6)


def test_a_window_is_what_its_shares_say():
    window = Window(100, 80, 60, 30, 0.4)
    x, y = window.grid(6, 3)
    shares = window.shares(np.stack([x.ravel(), y.ravel()], 1))
    assert np.allclose(shares[:6, 0], (np.arange(6) + 0.5) / 6, atol=1e-5)
    assert np.allclose(shares[::6, 1], (np.arange(3) + 0.5) / 3, atol=1e-5)


def test_a_column_is_turned_so_that_its_top_lies_left():
    rng = np.random.default_rng(5)
    scene = yards.new_scene(rng, panels.random_coat(rng, "CSQU 305438 3"), "vertical", 0.4)
    seen = next(line for line in scene.seen_lines() if windows.is_column(line))
    for _ in range(10):
        line, _ = windows.in_window(seen, windows.window_round(rng, seen, 0.8))
        x = [letter.x for letter in line.letters]
        assert x == sorted(x)
        assert windows.is_inside(line)


def test_what_is_written_of_a_window_begins_with_the_number():
    kinds = set()
    for seed in range(6):
        for sample in windows.draw_samples(np.random.default_rng([2, seed]), 3, False):
            places = lessons.places_of_text(sample.lines)
            assert len(places) == len(sample.text)
            known = [c for c, (x, _) in zip(sample.text, places, strict=True) if x == x]
            assert "".join(known) == "".join(sample.text.split())
            assert sample.image.shape == (windows.HEIGHT, windows.WIDTH, 3)
            numbers = find_numbers(sample.text)
            if numbers:
                assert iso6346.is_valid(numbers[0])
                assert sample.lines[0].is_number
                assert sample.text.startswith(sample.lines[0].text)
            kinds.add(sample.clear > 0.9)
    assert kinds == {True, False}


def test_the_same_step_gives_the_same_batch():
    for prompt in (None, lessons.CODE, PROMPT):
        a, b = (lessons.draw_batch(3, 2, prompt) for _ in range(2))
        assert [sample.text for sample in a] == [sample.text for sample in b]
        assert all(np.array_equal(x.image, y.image) for x, y in zip(a, b, strict=True))


# ---- training ---------------------------------------------------------------------------------


def test_a_sheet_names_a_letter_in_many_cells():
    sample = sheets.draw_sheet(np.random.default_rng(4))
    cells = lessons.letters_in_cells(sample)
    assert cells.shape == (lessons.ROWS, lessons.COLUMNS)
    assert (cells > 0).mean() > 0.1
    unreadable = dataclasses.replace(sample, clear=0.0)
    assert set(lessons.letters_in_cells(unreadable).ravel()) == {lessons.UNKNOWN}


def test_a_grown_model_computes_what_the_smaller_did(monkeypatch):
    deeper = growth.VISION | {"depths": [d + 1 for d in growth.VISION["depths"]]}
    monkeypatch.setattr(growth, "VISION", deeper)
    grown, _ = growth.grown_model(str(MODEL))
    small, _ = load_model(MODEL, device="cpu", dtype="fp32")
    pixels = torch.randn(1, 3, lessons.HEIGHT, lessons.WIDTH)
    with torch.inference_mode():
        a, b = (m.model.vision_tower(pixels).last_hidden_state for m in (grown, small))
    assert torch.allclose(a, b, atol=1e-4)


def test_training_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(here, monkeypatch):
    flags = "--photos 20 --batch_size 1 --device cpu --precision no --log_every 1"
    full = [*flags.split(), "--save_every", "10"]
    monkeypatch.setattr(train, "HELD_OUT_PHOTOS", 1)
    assert train.main([*full, "--output", "whole", "--work", "w1"]) == 0

    class Stopped(Exception):
        pass

    def stop(trainer, record):
        if trainer.step == 13:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(train.Trainer, "log", stop)
        with pytest.raises(Stopped):
            train.main([*full, "--output", "parts", "--work", "w2"])
    assert train.main([*full, "--output", "parts", "--work", "w2", "--resume"]) == 0
    whole, parts = (
        load_model(here / name, device="cpu", dtype="fp32")[0] for name in ("whole", "parts")
    )
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, parts.state_dict()[name]), name
    log = (here / "w1/train_log.jsonl").read_text().splitlines()
    assert [json.loads(line)["photos"] for line in log] == list(range(1, 21))


# ---- the shipped model ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples() -> dict[str, str]:
    """Return the sample photos' true numbers."""
    rows = json.loads((ROOT / "demo/annotations.json").read_text())["images"]
    return {row["image_path"]: row["container_number"] for row in rows}


def test_the_samples_are_labelled_each_and_small(samples):
    files = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "image").glob("*.jpg")}
    assert set(samples) <= set(files)
    assert 60 <= len(samples) <= 120
    assert sum(files[name].stat().st_size for name in samples) <= 10 * 2**20
    for number in samples.values():
        assert iso6346.is_valid(number.replace(" ", ""))


def test_the_shipped_model_is_small_and_in_safetensors():
    files = read_files(MODEL)
    assert sum(map(len, files.values())) <= 16 * 2**20
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl", ".py"))]


def test_a_batch_reads_as_one_by_one(samples):
    reader = ContainerOCR(MODEL, device="cpu", dtype="fp32", looks=1)
    images = [open_photo(ROOT / name)[0] for name in list(samples)[:6]]
    alone = [reader.read(image) for image in images]
    together = reader.read_batch(images)
    assert [r.raw_text for r in together] == [r.raw_text for r in alone]
    assert [r.confidence for r in together] == pytest.approx(
        [r.confidence for r in alone], abs=1e-4
    )


def test_the_shipped_model_reads_a_sample_exactly(samples):
    name = "image/000002_BACK_1.jpg"
    done = run("container_ocr.py", name, "--model", "small_model", "--device", "cpu", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\t")[1] == samples[name]


def test_the_views_of_a_sample_of_which_nothing_is_sure_are_grouped(here):
    photo = here / "image/000049_BACK_1.jpg"
    photo.parent.mkdir()
    shutil.copy(ROOT / "image" / photo.name, photo)
    done = run("batch_process.py", "--model", MODEL, "--group_by", "--device", "cpu", cwd=here)
    assert done.returncode == 0, done.stderr
    (row,) = rows_of("results_base_grouped.txt")
    assert row[0] == "image/000049"
    assert float(row[3]) < 0.1


def test_calibration_counts_every_number_and_nothing_else(here):
    rows = [
        f"{i}.jpg\t{number}\t{status}\t{confidence}\t"
        for i, (number, status, confidence) in enumerate(
            [
                ("CSQU 305438 3", "ok", "0.000"),
                ("", "none", "0.000"),
                ("", "error: empty file", "0.000"),
                ("CSQU 305438 3", "ok", "0.050"),
            ]
        )
    ]
    made_by = "# batch_process.py: model x, review below 0, any owner"
    (here / "r.txt").write_text("\n".join([made_by, *rows, ""]))
    write_annotations(here / "annotations.json", {f"{i}.jpg": "CSQU 305438 3" for i in range(4)})
    done = run("measure.calibrate", "r.txt", cwd=here)
    assert "| 0.0-0.1 | 2 | 0.025 | 100.0 % |" in done.stdout, done.stderr


def test_the_limit_for_a_source_is_chosen_on_all_others(here):
    right, wrong = "CSQU 305438 3", "CSQU 305483 0"
    read = {"gate": [(right, 0.2), (right, 0.9)], "yard": [(wrong, 0.35), (right, 0.45)]}
    for source, readings in read.items():
        rows = [f"{source}{i}.jpg\t{number}\tok\t{p}\t" for i, (number, p) in enumerate(readings)]
        made_by = "# batch_process.py: model x, review below 0, any owner"
        (here / f"{source}.txt").write_text("\n".join([made_by, *rows, ""]))
        entries = [
            {"image_path": f"{source}{i}.jpg", "container_number": right, "source": source}
            for i in range(len(readings))
        ]
        (here / f"{source}.json").write_text(json.dumps({"images": entries}))
    words = "gate.txt", "yard.txt", "--annotation_file", "gate.json", "yard.json", "--by", "source"
    done = run("measure.calibrate", *words, cwd=here)
    assert done.stdout.splitlines()[-3:] == [
        "| gate | 2 | 100.0 % | 0.4 | 50.0 % (1) | 100.0 % |",  # the yard's wrong one has 0.35
        "| yard | 2 | 50.0 % | 0.1 | 100.0 % (2) | 50.0 % |",
        "| all | 4 | 75.0 % |  | 75.0 % (3) | 66.7 % |",
    ], done.stderr


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    """Type the recipe of `make demo` over every fifth sample; return its folder.

    What the last command printed stands in printed.txt.
    """
    folder = tmp_path_factory.mktemp("demo")
    rows = json.loads((ROOT / "demo/annotations.json").read_text())["images"][::EVERY]
    for name in ("image", "demo"):
        (folder / name).mkdir()
    for row in rows:
        shutil.copy(ROOT / row["image_path"], folder / row["image_path"])
    (folder / "demo/annotations.json").write_text(json.dumps({"images": rows}))
    words = ["make", "--dry-run", "--always-make", "demo", "BIN=the"]
    recipe = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    steps = [
        line.replace("the/python ", f"{sys.executable} {ROOT}/", 1) for line in recipe.splitlines()
    ]
    steps = [step for step in steps if step.startswith((sys.executable, "cp ", "mkdir "))]
    assert len([step for step in steps if ".py " in step]) == 6
    for step in steps:
        words = shlex.split(step, comments=True)
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def test_make_demo_ends_with_a_table_in_which_the_tuned_model_is_surer_and_errs_less(demo_run):
    """Of sixteen labels it learns less than of the eighty that `make demo` has."""
    table = (demo_run / "printed.txt").read_text()
    (exact, _, count), (errors, fewer, _), (sure, surer, _) = (
        map(float, re.search(rf"^{name} +([\d.]+)[ %]+([\d.]+)[ %]+(\d+)$", table, re.M).groups())
        for name in ("exact match", "character error rate", "status ok")
    )
    assert count == -(-100 // EVERY)
    assert 45 < exact < 80, "the letters are new to it: there is something to learn"
    assert fewer < errors
    assert surer >= sure + 2


def test_a_photo_without_a_number_is_never_ok(demo_run):
    reader = FinetunedContainerOCR(demo_run / "demo/run/lora", device="cpu", dtype="fp32")
    photos = [photo.image for _, photo in render.render_series(4, 3, "none")]
    assert {reading.status for reading in reader.read_batch(photos)} <= {"none", "review"}


def test_nearer_looks_read_from_afar_what_the_first_cannot(demo_run):
    reader = FinetunedContainerOCR(demo_run / "demo/run/lora", device="cpu", dtype="fp32")
    photos = [photo for _, photo in render.render_series(8, 4, "two-line", distance=1.7)]
    images = [photo.image for photo in photos]
    right = []
    for looks in (1, 4):
        reader.options = dataclasses.replace(reader.options, looks=looks)
        pairs = zip(reader.read_batch(images), photos, strict=True)
        right.append(sum(reading.number == photo.number for reading, photo in pairs))
    assert right[1] >= right[0] + 2
