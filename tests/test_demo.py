"""The demo: renders are what they say, training resumes, and the shipped model reads."""

import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import render
import torch
import train
from conftest import ROOT, run
from stdnum import iso6346

from container_ocr import ContainerOCR, FinetunedContainerOCR
from containers.iso6346 import find_numbers
from containers.photos import open_photo
from florence.checkpoint import load_model

MODEL = ROOT / "demo/model"


def read_files(folder) -> dict[str, bytes]:
    """Return every file of a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- renders ----------------------------------------------------------------------------------


def test_a_seed_gives_the_same_photos_and_another_seed_others(here):
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        done = run("demo/render.py", "--count", 3, "--seed", seed, "--output", folder, cwd=here)
        assert done.returncode == 0, done.stderr
    a, b, c = (read_files(here / name / "image") for name in "abc")
    assert a == b
    assert len(a) == 3
    assert not set(a.values()) & set(c.values())


@pytest.mark.parametrize("layout", render.LAYOUTS)
def test_a_render_carries_a_valid_number_in_its_layout(layout):
    for name, photo in render.render_series(8, 1, layout):
        assert iso6346.is_valid(photo.number.replace(" ", ""))
        assert photo.number[:4] in render.OWNERS.split()
        assert photo.number.replace(" ", "") in photo.text.replace(" ", "").replace("\n", "")
        letters = [letter for line in photo.number_lines for letter in line.letters]
        across = max(c.x for c in letters) - min(c.x for c in letters)
        down = max(c.y for c in letters) - min(c.y for c in letters)
        assert (down > across) == (layout == "vertical"), name
        assert len(photo.number_lines) == (2 if layout == "two-line" else 1)


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
        assert find_numbers(photo.text) == []
        assert set(render.label(photo.number).values()) == {"TODO"}


def test_from_afar_a_number_has_as_many_pixels_on_a_larger_photo():
    for seed in range(4):
        near, far = (
            render.render_container(
                np.random.default_rng(seed),
                render.Container("CSQU3054383", np.full(3, 0.5, np.float32)),
                "horizontal",
                longest,
                hardness=0.2,
                distance=distance,
            )
            for longest, distance in ((640, 1), (1280, 2))
        )
        assert far.image.width == pytest.approx(2 * near.image.width, abs=1)
        heights = [
            photo.number_lines[0].letters[0].height * photo.image.height for photo in (near, far)
        ]
        assert heights[0] == pytest.approx(heights[1], rel=0.1)


def test_annotations_of_renders_are_labels_that_prepare_takes(here):
    done = run("demo/render.py", "--count", 4, "--output", "renders", "--views", 2, cwd=here)
    assert done.returncode == 0, done.stderr
    flags = ("--mode", "prepare", "--annotation_file", "renders/annotations.json")
    done = run("prepare_dataset.py", *flags, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "4 labelled, 0 still TODO, 0 warnings" in done.stdout + done.stderr


@pytest.mark.parametrize("layout", render.LAYOUTS)
def test_all_ink_lies_in_the_boxes_of_the_letters(layout):
    for i in range(4):
        rng = np.random.default_rng([3, i])
        container = render.new_container(rng)
        photo = render.render_container(rng, container, layout, hardness=0.3)  # aside, but clean
        light = np.asarray(photo.image.convert("L"), float)
        ink = np.abs(light - np.median(light)) > 80
        height, width = ink.shape
        boxes = np.zeros_like(ink)
        for letter in (c for line in photo.lines for c in line.letters):
            half = 0.62 if letter.character.isalnum() else 1.5  # a dot is not where its centre is
            reach = letter.width * half * width, letter.height * half * height
            centre = np.array((letter.x * width, letter.y * height))
            x, y = np.rint([centre - reach, centre + reach]).astype(int).clip(0).T
            assert ink[y[0] : y[1], x[0] : x[1]].any(), letter
            boxes[y[0] : y[1], x[0] : x[1]] = True
        frame = photo.number_lines[-1].letters[-1]  # the check digit may stand in a frame
        reach = 0.9 * max(frame.width * width, frame.height * height)
        x, y = frame.x * width, frame.y * height
        boxes[round(y - reach) : round(y + reach), round(x - reach) : round(x + reach)] = True
        assert (ink & ~boxes).sum() < 0.03 * ink.sum()


def test_a_homography_maps_each_point_to_its_partner():
    source = np.array([(0, 0), (9, 1), (8, 7), (1, 6)], float)
    target = np.array([(2, 1), (5, 0), (7, 9), (0, 4)], float)
    mapped = np.c_[source, np.ones(4)] @ render.homography(source, target).T
    assert np.allclose(mapped[:, :2] / mapped[:, 2:], target)


# ---- training ---------------------------------------------------------------------------------


def test_every_photo_of_the_curriculum_has_text_and_a_place_for_each_letter():
    for share in (0.0, 0.16, 0.18, 0.3, 0.6, 0.999):
        stage, done = train.stage_at(share)
        assert 0 <= done <= 1
        prompt = stage.prompt_at(1)
        photo = train.render_example(np.random.default_rng(4), stage, done, prompt)
        places = train.places_of_text(photo.lines)
        assert len(places) == len(photo.text) > 0
        known = [c for c, (x, _) in zip(photo.text, places, strict=True) if x == x]
        assert "".join(known) == "".join(photo.text.split())
        assert set(train.letters_in_cells(photo).ravel()) > {0}


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
    stages = [json.loads(line)["stage"] for line in log]
    assert list(dict.fromkeys(stages)) == [stage.name for stage in train.CURRICULUM]


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
    reader = ContainerOCR(MODEL, device="cpu", dtype="fp32")
    images = [open_photo(ROOT / name)[0] for name in list(samples)[:6]]
    alone = [reader.read(image) for image in images]
    together = reader.read_batch(images)
    assert [r.raw_text for r in together] == [r.raw_text for r in alone]
    assert [r.confidence for r in together] == pytest.approx(
        [r.confidence for r in alone], abs=1e-4
    )


def test_the_shipped_model_reads_a_sample_exactly(samples):
    name = "image/000001_RIGHT_1.jpg"
    done = run("container_ocr.py", name, "--model", "demo/model", "--device", "cpu", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\t")[1] == samples[name]


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    """Type the recipe of `make demo`; return its folder, with what the last command printed."""
    folder = tmp_path_factory.mktemp("demo")
    words = ["make", "--dry-run", "--always-make", "demo", f"RUN={folder}", "BIN=the"]
    recipe = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    steps = [line.replace("the/python", sys.executable, 1) for line in recipe.splitlines()]
    steps = [step for step in steps if step.startswith((sys.executable, "cp ", "mkdir "))]
    assert len([step for step in steps if ".py " in step]) == 6
    for step in steps:
        words = shlex.split(step, comments=True)
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def test_make_demo_ends_with_a_table_in_which_the_tuned_model_is_ahead(demo_run):
    table = (demo_run / "printed.txt").read_text()
    rates = re.search(r"^exact match +([\d.]+) % +([\d.]+) % +100$", table, re.MULTILINE)
    base, tuned = map(float, rates.groups())
    assert base > 50
    assert tuned >= base + 3


def test_a_photo_without_a_number_is_never_ok(demo_run):
    reader = FinetunedContainerOCR(demo_run / "lora", device="cpu", dtype="fp32")
    photos = [photo.image for _, photo in render.render_series(8, 3, "none")]
    assert {reading.status for reading in reader.read_batch(photos)} <= {"none", "review"}


def test_a_second_look_reads_from_afar_what_the_first_cannot(demo_run):
    reader = FinetunedContainerOCR(demo_run / "lora", device="cpu", dtype="fp32")
    photos = [photo for _, photo in render.render_series(8, 4, "two-line", distance=1.7)]
    images = [photo.image for photo in photos]
    right = []
    for reader.looks in (1, 4):
        pairs = zip(reader.read_batch(images), photos, strict=True)
        right.append(sum(reading.number == photo.number for reading, photo in pairs))
    assert right[1] >= right[0] + 2
