"""Tests of the check whether a model works here, with models that do and models that do not."""

import re

import pytest
from conftest import ROOT, error_line
from published_models import save_published
from transformers.models.florence2.processing_florence2 import Florence2PostProcessor

from container_ocr import ContainerOCR, main
from florence.model_check import BAD, GOOD, WEAK, Finding, conclude, judge_gaze, regions_in
from florence.samples import SAMPLES, Shown, show_samples

SMALL = str(ROOT / "small_model")


@pytest.fixture(scope="module")
def small():
    """Return the small model that ships, as the check is given it."""
    return ContainerOCR(SMALL, device="cpu", dtype="fp32")


@pytest.fixture(scope="module")
def whole(small):
    """Return what the small model sees of the samples at first."""
    return show_samples(small, None)[0]


def lines_of(out: str) -> dict[str, str]:
    """Return what a check has printed, by the first word of each line."""
    return {line.split()[0]: line for line in out.splitlines()}


def test_all_lines_are_good_for_the_model_that_ships(capsys):
    assert main(["--check_model", "--model", SMALL, "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    lines = lines_of(shown)
    assert shown.count("\nphoto ") == len(SAMPLES)
    assert f"{SAMPLES[0].number}: wrote '</s><s>" in shown
    for name in ("reads", "knows", "finds", "verdict"):
        assert lines[name].split()[1] == GOOD, lines[name]
    assert re.search(r"SHA-256 [0-9a-f]{64}", lines["model"])
    assert re.search(r"[\d.]+ s a look, [\d.]+ GB; 100 photos: ", lines["reading"])
    assert re.search(r"before the first step, .* an epoch; [\d.]+ GB of ", lines["training"])


def test_random_weights_as_published_are_told_and_regions_are_asked_for(
    microsoft, tmp_path, capsys
):
    folder = save_published(microsoft, tmp_path)["native"]
    assert main(["--check_model", "--model", str(folder), "--device", "cpu", "--looks", "1"]) == 1
    lines = lines_of(capsys.readouterr().out)
    assert [lines[name].split()[1] for name in ("reads", "knows", "regions")] == [BAD] * 3
    assert "random" in lines["verdict"]


@pytest.mark.parametrize("typed", [[], ["--check_model", "a.jpg"]])
def test_photos_or_a_check_are_asked_for_and_not_both(typed, capsys):
    assert main(typed) == 2
    assert "--check_model" in error_line(capsys.readouterr().err)


def test_gaze_in_another_place_than_the_number_is_bad_and_in_it_good(whole):
    elsewhere = [Shown(s.sample, s.window, s.probability, [(0.01, 0.01)] * 11) for s in whole]
    assert judge_gaze(whole).verdict == GOOD
    assert judge_gaze(elsewhere).verdict == BAD


def test_places_of_regions_are_those_of_transformers_own_parser(processor):
    corners = (100, 200, 300, 200, 300, 400, 100, 400), (7, 9, 500, 9, 500, 30, 7, 30)
    words = ["".join(f"<loc_{n}>" for n in quad) for quad in corners]
    text = f"</s><s>IPXU 087937 4{words[0]}22G1{words[1]}</s>"
    pattern = r"(.+?)" + 8 * r"<loc_(\d+)>"  # as in the published processor_config.json
    config = {"ocr": {"pattern": pattern, "area_threshold": 0.0}}
    parse = Florence2PostProcessor(config=config, tokenizer=processor.tokenizer)
    parsed = parse(text, image_size=(1000, 1000), parse_tasks="ocr")["ocr"]
    quads = [region["quad_box"] for region in parsed]
    middles = [(sum(quad[::2]) / 4000, sum(quad[1::2]) / 4000) for quad in quads]
    assert [pytest.approx(middle, abs=0.001) for middle in middles] == regions_in(text)
    assert len(middles) == 2


def test_the_samples_stand_where_their_boxes_say(small, whole):
    for reading, sample in zip(small.read_batch([s.path for s in SAMPLES]), SAMPLES):
        xs, ys = zip(*reading.box)
        left, top, right, bottom = sample.box
        assert left <= sum(xs) / 4 <= right, sample
        assert top <= sum(ys) / 4 <= bottom, sample


@pytest.mark.parametrize(
    ("verdicts", "verdict", "words"),
    [
        ((GOOD, GOOD, GOOD), GOOD, "finds them"),
        ((GOOD, GOOD, BAD), WEAK, "§looks 1"),
        ((WEAK, WEAK, GOOD), WEAK, "fine-tune"),
        ((BAD, BAD, GOOD), BAD, "random"),
    ],
)
def test_a_model_that_reads_and_does_not_look_is_told_from_one_that_reads_little(
    verdicts, verdict, words
):
    names = zip(("reads", "knows", "finds"), verdicts)
    concluded, said = conclude([Finding(name, one, "") for name, one in names])
    assert concluded == verdict
    assert words in said
