"""Fixtures: a tiny real Florence-2, photos that are drawn, and a way to type a command."""

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that needs the network shall fail
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests run side by side, one on each core

import json
import math
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
import torch
from accelerate.state import AcceleratorState
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from stdnum import iso6346
from tiny_models import TAUGHT, save_taught_model, save_tiny_model
from tokenizers.pre_tokenizers import ByteLevel
from transformers import BartTokenizer, Florence2Processor

import finetune_florence
import prepare_dataset
from container_ocr import ContainerOCR
from containers.basis.talk import talk_on_terminal
from containers.number.iso6346 import format_number
from containers.number.reading import Reading, Transcript
from containers.number.review import REVIEW_BELOW, hypothesis_of, reading_of
from florence.decoding import transcribe
from florence.encoding import encode
from florence.inputs import prepare_inputs
from florence.training import Trainer

pytest_plugins = ["browser", "label_page"]

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
NUMBER, OTHER = "CSQU 305438 3", "HLXU 200841 9"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SPACE = "\u0120"  # how the byte-level alphabet writes it
CODES = st.from_regex(r"[A-Z]{3}[UJZ][0-9]{6}", fullmatch=True)  # all but the check digit

talk_on_terminal()  # what is tested below the commands is said as by them


def run(*argv, cwd=None, **options):
    """Type `python script.py flags`, or `python -m demo.render flags`, as a user would.

    Return the finished process.
    """
    is_file = argv[0].endswith(".py")
    command = [sys.executable, *([ROOT / argv[0]] if is_file else ["-m", argv[0]]), *argv[1:]]
    if not is_file:  # found from any folder
        options.setdefault("env", os.environ | {"PYTHONPATH": str(ROOT)})
    command = [*map(str, command)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **options)


def wait_until(condition) -> None:
    """Wait until something is so; fail if it takes minutes."""
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def type_until(is_so, main, argv, number=signal.SIGINT) -> int:
    """Type a command in this process, and send it a signal as soon as something is so.

    Return its exit code.
    """
    ended = threading.Event()

    def press() -> None:
        until = time.monotonic() + 120
        try:
            while not ended.wait(0.01) and not is_so():
                assert time.monotonic() < until
        finally:
            if not ended.is_set():
                os.kill(os.getpid(), number)

    hand = threading.Thread(target=press, daemon=True)
    hand.start()
    try:
        return main(argv)
    finally:
        ended.set()
        hand.join()


def error_line(stderr: str) -> str:
    """Return the one `error:` line; fail if there is another, or a traceback."""
    assert "Traceback" not in stderr, stderr
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, f"expected one error line, got:\n{stderr}"
    return errors[0]


def draw_photo(path: Path, text: str, size=(160, 120)) -> Path:
    """Write a picture with a number on it."""
    image = Image.new("RGB", size, (30, 60, 120))
    ImageDraw.Draw(image).text((8, 40), text, fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def write_annotations(path: Path, labels: dict[str, str]) -> Path:
    """Write annotations.json as a user would leave it."""
    images = [{"image_path": image, "container_number": number} for image, number in labels.items()]
    path.write_text(json.dumps({"images": images}), encoding="utf-8")
    return path


def paint(path: Path, colour: str) -> Path:
    """Write a photo of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 60), colour).save(path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Save a Florence-2 of 60,000 random weights."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def taught_model(tiny_model, tmp_path_factory) -> Path:
    """Teach all weights of the tiny model to write `TAUGHT` for each colour, in seconds."""
    return save_taught_model(tiny_model, tmp_path_factory.mktemp("taught") / "tiny")


@pytest.fixture
def flags(here, tiny_model):
    """Draw three photos and one text file that calls itself a photo; return the flags to read."""
    for name in ("b.jpg", "a 1/한글.jpg", "c.jpg"):
        draw_photo(here / "image" / name, name)
    (here / "image" / "bad.jpg").write_text("no photo")
    return ["--model", str(tiny_model), "--device", "cpu", "--dtype", "fp32", "--looks", "2"]


@pytest.fixture
def taught(here, taught_model):
    """Paint a photo of each colour whose text the taught model knows; return the flags to read."""
    for place, colour in enumerate(TAUGHT):
        paint(here / f"image/{place}.png", colour)
    return ["--model", str(taught_model), "--device", "cpu", "--dtype", "fp32", "--looks", "1"]


def stop_before(batch: int, monkeypatch) -> list[int]:
    """Press Ctrl-C before the model reads that batch; return the list of batch sizes to come."""
    sizes, look_at = [], ContainerOCR.look_at

    def stop_or_look_at(self, images, known=None):
        if len(sizes) == batch:
            raise KeyboardInterrupt
        sizes.append(len(images))
        return look_at(self, images, known)

    monkeypatch.setattr(ContainerOCR, "look_at", stop_or_look_at)
    return sizes


def rows_of(path: str) -> list[list[str]]:
    """Return the lines of a result file that are about photos, split at tabs."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


@pytest.fixture
def data(here, tiny_model):
    """Draw six training photos of one container and two of another; return the flags to train."""
    AcceleratorState._reset_state(reset_partial_state=True)  # as in a process of its own
    for name, number, count in (("train", NUMBER, 6), ("val", OTHER, 2)):
        rows = []
        for view in range(count):
            image = draw_photo(here / f"image/{name}{view}.jpg", f"{number} {view}")
            row = {"image": str(image.relative_to(here)), "prefix": "<OCR>", "suffix": number}
            rows.append(row)
        path = here / f"dataset/{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(rows))
    model = ["--model", str(tiny_model), "--device", "cpu", "--dtype", "fp32"]
    return [*model, "--lr", "1e-2", "--lora_rank", "4", "--looks", "1"]


def train(flags, *more: str) -> int:
    """Run the script with its defaults but for a tiny model and few epochs."""
    return finetune_florence.main([*flags, *more])


def log_of(folder: str) -> list[dict]:
    """Return the epochs' records."""
    return [json.loads(line) for line in Path(folder, "train_log.jsonl").read_text().splitlines()]


def stop_in_epoch(patch: pytest.MonkeyPatch, epoch: int) -> None:
    """Have Ctrl-C pressed when a training begins this epoch, counted from 0."""
    train_epoch = Trainer.train_epoch

    def stop(self):
        if self.progress.epoch == epoch:
            raise KeyboardInterrupt
        return train_epoch(self)

    patch.setattr(Trainer, "train_epoch", stop)


def weights_of(folder: str) -> dict[str, torch.Tensor]:
    """Return the adapter's tensors."""
    return load_file(Path(folder, "adapter_model.safetensors"))


def assert_same_weights(one: str, other: str) -> None:
    """Fail unless two folders hold the same adapter, bit for bit."""
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=0, atol=0)


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory):
    """Return a folder in Microsoft's layout: real structure, 50,265 tokens of our own."""
    folder = tmp_path_factory.mktemp("microsoft") / "tiny"
    shutil.copytree(DATA / "ms_tiny", folder)
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    tokens = [*specials, *sorted(ByteLevel.alphabet())]
    tokens += [f"filler{i}" for i in range(50_264 - len(tokens))] + ["<mask>"]
    vocab = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return folder


def broken_copy(folder, tmp_path, change):
    """Return a copy of a model folder whose tensors `change` has changed."""
    copy = tmp_path / "broken"
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    change(tensors)
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    return copy


def create_template() -> int:
    """Run the first mode with its defaults."""
    return prepare_dataset.main(["--mode", "create_template"])


def prepare(*flags: str) -> int:
    """Run the second mode with its defaults."""
    return prepare_dataset.main(["--mode", "prepare", *flags])


def read_split() -> tuple[list[dict], list[dict]]:
    """Return train.json and val.json."""
    return tuple(json.loads(open(f"dataset/{name}.json").read()) for name in ("train", "val"))


def labelled(*numbers: str) -> dict[str, str]:
    """Draw a photo for each number; return {image: number}."""
    labels = {f"image/{place:03}.jpg": number for place, number in enumerate(numbers)}
    for image, number in labels.items():
        draw_photo(Path(image), number)
    return labels


def some_numbers(count: int) -> list[str]:
    """Return valid numbers as painted; their check digits are python-stdnum's."""
    rng = random.Random(0)
    codes = (
        "".join(rng.choices(LETTERS, k=3)) + rng.choice("UJZ") + f"{rng.randrange(10**6):06d}"
        for _ in range(count)
    )
    return [format_number(code + iso6346.calc_check_digit(code)) for code in codes]


def bpe_tokenizer(processor: Florence2Processor) -> BartTokenizer:
    """Return a tokenizer that knows some pieces of numbers as one token."""
    pieces = "C S,Q U,CS QU,3 0,30 5,_ 3,_ 30,4 3,43 8,8 _,1 2,A B,_ A".replace("_", SPACE)
    merges = pieces.split(",")
    vocab = dict(processor.tokenizer.get_vocab())
    for merge in merges:
        vocab.setdefault(merge.replace(" ", ""), len(vocab))
    return BartTokenizer(
        vocab=vocab, merges=[tuple(merge.split()) for merge in merges], image_token="<image>"
    )


@pytest.fixture(scope="module")
def processor(tiny_model) -> Florence2Processor:
    """Return the tiny model's processor."""
    return Florence2Processor.from_pretrained(tiny_model)


def read(model, processor, images) -> list[Transcript]:
    """Return the transcripts of images."""
    with torch.inference_mode():
        encoded = encode(model, len(images), **prepare_inputs(processor, images))
        return transcribe(model, processor, encoded)


def transcript(text: str, probability: float = 0.99, **alternatives: float) -> Transcript:
    """Return a transcript of one token a character, all equally sure."""
    log_probs = (math.log(probability),) * len(text)
    return Transcript(text, tuple(range(1, len(text) + 1)), log_probs, tuple(alternatives.items()))


def read_in(written: Transcript, review_below=REVIEW_BELOW, owner_codes=()) -> Reading:
    """Return the reading of a photo that was looked at once."""
    return reading_of(hypothesis_of(written, owner_codes), review_below)
