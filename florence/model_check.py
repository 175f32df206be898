"""Whether a model works on this machine: what it writes, where it looks, and what that takes.

Four photos that ship, whose numbers and places are known, are shown whole and from near. Each line
of the outcome has a verdict; all of it together is a block to paste into an issue report.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from textwrap import shorten
from typing import TYPE_CHECKING

from containers.basis.pace import Pace, duration
from containers.basis.talk import counted, log, show
from containers.number.iso6346 import compact, find_numbers
from florence.adapter import Base, base_folder, base_model
from florence.encoding import encode
from florence.features import frozen_part
from florence.free_text import write_freely
from florence.hub import PINS
from florence.inputs import encode_answers, prepare_inputs, to_model
from florence.memory import GB, estimate, free_memory
from florence.model_folder import weight_files
from florence.names import DEFAULT_MODEL
from florence.samples import SAMPLES, Reader, Shown, show_samples

if TYPE_CHECKING:
    from PIL import Image

    from containers.photo.windows import Point

GOOD, WEAK, BAD = "good", "weak", "bad"
REGIONS, A_PLACE = "<OCR_WITH_REGION>", "<loc_0>"  # a task, and a word of its answers
NEAR_TIMES = 1.4  # times the number's place: as near as the second look
KNOWN_FROM, UNKNOWN_BELOW = 0.5, 0.001  # of the true number; one drawn at random has 1e-9
FOUND_SHARE = 0.5  # of a number's characters: where so many are seen in its box, it is found
SHOWN_CHARACTERS = 90  # characters of a text that are shown
BEYOND_CHANCE = 3  # times what looking anywhere would bring
# Of the pinned commit: bytes of model.safetensors, and how its SHA-256 begins, as it is published.
PUBLISHED = {PINS[DEFAULT_MODEL]: (1_553_541_016, "7715423d")}
PHOTOS, TRAINED, BATCH = 100, 80, 2  # of the estimates: as many as the guide asks to label


@dataclass(frozen=True)
class Finding:
    """A line of the outcome: what it is of, its verdict, if any, and what was seen."""

    name: str
    verdict: str
    seen: str

    def __str__(self) -> str:
        return f"{self.name:8} {self.verdict:4} {self.seen}"


def check_model(ocr: Reader, base: Base, folder: Path) -> list[Finding]:
    """Return what is to be said of a loaded model, whose files are in a folder, line by line."""
    with Pace(title="checking", total=5) as pace:
        whole, _ = show_samples(ocr, None)
        pace.update()
        near, images = show_samples(ocr, NEAR_TIMES)
        pace.update()
        texts = write(ocr, images, "<OCR>")
        pace.update()
        seconds = time_looks(ocr, images)
        pace.update()
        step = time_step(ocr, images[:BATCH], [s.number for s in SAMPLES[:BATCH]])
        findings = [
            describe_files(base, folder),
            Finding("machine", "", describe_machine(ocr)),
            *(describe_sample(*shown) for shown in zip(whole, near, texts)),
            judge_texts(texts),
            judge_probabilities([shown.probability for shown in near]),
            judge_gaze(whole),
        ]
        if A_PLACE in ocr.processor.tokenizer.get_vocab():
            findings.append(judge_regions(ocr, images, near))
        pace.update()
    findings += [describe_reading(ocr, seconds), describe_training(ocr, seconds, step)]
    return [*findings, Finding("verdict", *conclude(findings))]


def write(ocr: Reader, images: Sequence[Image.Image], task: str) -> list[str]:
    """Return what the model writes of each image for a task, special tokens and all."""
    import torch

    with torch.inference_mode():
        inputs = prepare_inputs(ocr.processor, images, prompt=task)
        encoded = encode(ocr.model, len(images), **to_model(inputs, ocr.model))
        tokens = write_freely(ocr.model, ocr.processor, encoded)
    return [text.replace("<pad>", "") for text in ocr.processor.tokenizer.batch_decode(tokens)]


def time_looks(ocr: Reader, images: Sequence[Image.Image]) -> float:
    """Return how many seconds a look takes, the median of one at each image."""
    seconds = []
    for image in images:
        start = time.perf_counter()
        ocr.look_at([image])
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def time_step(ocr: Reader, images: Sequence[Image.Image], numbers: Sequence[str]) -> float:
    """Return how many seconds a training step on a batch takes, as far as it can be told.

    That is the way to the loss and back through encoder and decoder, for the photos' features kept.
    """
    import torch

    model, answers = ocr.model.requires_grad_(False), encode_answers(ocr.processor, numbers)
    with torch.no_grad():
        inputs = to_model(prepare_inputs(ocr.processor, images), model)
        embeds = frozen_part(model, "inputs_embeds", inputs).requires_grad_()
    start = time.perf_counter()
    with torch.enable_grad():
        model(inputs_embeds=embeds, labels=answers.to(model.device)).loss.backward()
    return time.perf_counter() - start


def describe_files(base: Base, folder: Path) -> Finding:
    """Tell which model it is, by name and weights, and whether they are what was published."""
    at = f" at {base.revision}" if base.revision else ""
    size = sum(path.stat().st_size for path in weight_files(folder))
    known = PUBLISHED.get(base.revision or "")
    verdict, end = "", ""
    if known:
        as_published = size == known[0] and base.weights.startswith(known[1])
        verdict, end = (GOOD, "as published") if as_published else (BAD, f"published: {known}")
        end = f", {end}"
    seen = f"{base.model}{at}: safetensors of {size:,} bytes, SHA-256 {base.weights}{end}"
    return Finding("model", verdict, seen)


def describe_machine(ocr: Reader) -> str:
    """Return where it runs: device, precision, system, and what it is built on."""
    import torch

    model, names = ocr.model, ("torch", "transformers", "peft")
    device = model.device.type
    kind = torch.cuda.get_device_name() if device == "cuda" else platform.processor()
    built = ", ".join(f"{name} {version(name)}" for name in names)
    precision = str(model.dtype).removeprefix("torch.")
    where = f"{device} {kind}".strip()
    python = platform.python_version()
    return (
        f"{where}, {precision}, {platform.system()} {platform.machine()}, Python {python}, {built}"
    )


def describe_sample(whole: Shown, near: Shown, text: str) -> Finding:
    """Return what was seen on a sample."""
    written = shorten(repr(text), SHOWN_CHARACTERS, placeholder=" ...")
    seen = f"probability {near.probability:.3f}; gaze in its box {whole.inside:.0%}"
    return Finding("photo", "", f"{near.sample.number}: wrote {written}; {seen}")


def judge_texts(texts: Sequence[str]) -> Finding:
    """Tell how many of the numbers the model writes when they are shown from near."""
    pairs = zip(texts, SAMPLES)
    right = sum(compact(sample.number) in find_numbers(plain(text)) for text, sample in pairs)
    verdict = GOOD if right > len(texts) / 2 else WEAK if right else BAD
    return Finding("reads", verdict, f"{right} of {counted(len(texts), 'number')}, from near")


def plain(text: str) -> str:
    """Return a text without special tokens."""
    return re.sub("<[^>]*>", " ", text)


def judge_probabilities(likely: Sequence[float]) -> Finding:
    """Tell how likely the model holds the true numbers to be."""
    middle = median(likely)
    verdict = GOOD if middle >= KNOWN_FROM else WEAK if middle >= UNKNOWN_BELOW else BAD
    return Finding("knows", verdict, f"the true number has probability {middle:.3f}, from near")


def judge_gaze(shown: Sequence[Shown]) -> Finding:
    """Tell whether the model looks at the number while it writes it, on the whole photo."""
    inside, chance = median(s.inside for s in shown), median(s.chance for s in shown)
    found = sum(s.inside >= FOUND_SHARE for s in shown)
    weak = inside >= BEYOND_CHANCE * chance
    verdict = GOOD if found > len(shown) / 2 else WEAK if weak else BAD
    seen = f"{found} of {counted(len(shown), 'number')}, by its gaze on the whole photo"
    return Finding("finds", verdict, f"{seen}; {inside:.0%} of its points (chance: {chance:.0%})")


def judge_regions(ocr: Reader, images: Sequence[Image.Image], near: Sequence[Shown]) -> Finding:
    """Tell whether the model's answers with regions name places in the number's box."""
    found = 0
    for text, shown in zip(write(ocr, images, REGIONS), near):
        places = [replace(shown, letters=[middle]) for middle in regions_in(text)]
        found += any(place.inside for place in places)
    verdict = GOOD if found > len(images) / 2 else WEAK if found else BAD
    count = counted(len(images), "number")
    return Finding("regions", verdict, f"{found} of {count}, by {REGIONS} from near")


def regions_in(text: str) -> list[Point]:
    """Return the middles of the regions that an answer names, in shares of width and height.

    A region is a text and four corners, each x and y a word `<loc_0>` to `<loc_999>`: thousandths.
    """
    quads = re.findall(r"(?:<loc_\d+>){8}", text)
    places = [[(int(n) + 0.5) / 1000 for n in re.findall(r"\d+", quad)] for quad in quads]
    return [(fmean(quad[::2]), fmean(quad[1::2])) for quad in places]


def describe_reading(ocr: Reader, seconds: float) -> Finding:
    """Return what reading takes."""
    once, most = duration(PHOTOS * seconds), duration(PHOTOS * seconds * ocr.options.looks)
    looks = counted(ocr.options.looks, "look")
    times = f"{PHOTOS} photos: {once}, up to {most} where none is sure ({looks})"
    return Finding("reading", "", f"{seconds:.2f} s a look, {used_memory(ocr)}; {times}")


def describe_training(ocr: Reader, seconds: float, step: float) -> Finding:
    """Return what training on as many photos as the guide asks for takes, with its defaults."""
    model, windows = ocr.model, ocr.options.looks
    before = duration(PHOTOS * windows * seconds)
    epoch = duration(TRAINED * windows / BATCH * step + (PHOTOS - TRAINED) * seconds)
    weights = 0, model.num_parameters()
    needed = estimate(model.config, "language", ocr.size, weights, model.dtype.itemsize)
    free = free_memory(model.device.type) + needed.fixed
    memory = f"{needed.total(BATCH) / GB:.1f} GB of {free / GB:.1f}"
    times = f"up to {before} before the first step, then up to {epoch} an epoch"
    return Finding("training", "", f"{PHOTOS} photos: {times}; {memory}")


def used_memory(ocr: Reader) -> str:
    """Return how much memory the model takes where it runs."""
    import psutil
    import torch

    on_gpu = ocr.model.device.type == "cuda"
    used = torch.cuda.max_memory_allocated() if on_gpu else psutil.Process().memory_info().rss
    return f"{used / GB:.1f} GB"


def conclude(findings: Sequence[Finding]) -> tuple[str, str]:
    """Return the verdict on the whole, and what to do."""
    verdicts = {finding.name: finding.verdict for finding in findings if finding.verdict}
    if set(verdicts.values()) == {GOOD}:
        return GOOD, "it reads container numbers, and finds them"
    if verdicts["reads"] == verdicts["knows"] == BAD:
        return BAD, (
            "it knows nothing of these numbers: are its weights random, cut, or of another task? "
            "Compare the SHA-256 with the publisher's"
        )
    if verdicts["finds"] == BAD:
        return WEAK, (
            "it reads, and does not look where the number stands: nearer looks will miss it; "
            "§looks 1 on photos cut to the number is what it can do"
        )
    return WEAK, "it reads somewhat: fine-tune it on your own photos"


def print_check(ocr: Reader, model: str | None, lora_path: str | None, revision: str | None) -> int:
    """Print what is to be said of a model, line by line; return 1 where it does not work."""
    name = base_model(model, lora_path)
    folder = base_folder(model, lora_path, revision)
    findings = check_model(ocr, Base.at(name, folder), folder)
    log.info("the lines below are for an issue report, too")
    for finding in findings:
        show(str(finding))
    return int(findings[-1].verdict == BAD)
