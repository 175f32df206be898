"""Broken inputs, made by code and by hypothesis, and what every command must make of each.

Each maker yields checks: calls that return None where all is well, or what is wrong: "lost" or
"wrong". Whatever they raise is a traceback that a user would see.
"""

import contextlib
import io
import itertools
import json
import os
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from transformers import Florence2ForConditionalGeneration

import batch_process
import prepare_dataset
from container_ocr import ContainerOCR
from containers.basis.errors import ImageError, UserError
from containers.data.labels import parse_annotations
from containers.data.result import Result
from containers.data.result_file import MADE_BY
from containers.data.results import read_results, write_results
from containers.data.runs import read_run
from containers.number.reading import Reading
from containers.photo.files import list_images
from containers.photo.opening import open_photo
from florence.examples import read_examples
from florence.inputs import prepare_inputs
from florence.loading import load_model, require_model

Check = Callable[[], str | None]
TOKENS = b'" \\ , : { [ } ] \0 \xff \xed\xa0\x80 NaN 1e999 - null \r \n \\ud800 \xef\xbb\xbf'.split(
    b" "
)
ODD = [None, True, 0, -1, 7, 1.5, float("nan"), float("inf"), "", "x", "\ud800", [], [1], {}]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
KEYS = ["image_path", "container_number", "owner_code", "serial_number", "check_digit", "note"]
LABEL = st.sampled_from(["CSQU 305438 3", "csqu3054384", "TODO", "", "---", "a.jpg", "b.jpg"])
ENTRIES = st.lists(st.dictionaries(st.sampled_from(KEYS), LABEL | JSON, min_size=1) | JSON)
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1, max_size=30
)
FORMATS = {"png": {}, "gif": {}, "tif": {"compression": "tiff_lzw"}, "jpg": {}, "webp": {}}
FORMATS |= {"bmp": {}, "icns": {}, "jp2": {}}


def drawn(strategy: st.SearchStrategy, count: int, number: int) -> list:
    """Return so many values that hypothesis draws, the same for the same number."""
    values = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value):
        values.append(value)

    collect()
    return values[:count]


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Return bytes that are cut, zeroed, flipped, doubled, or have a token too many."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        start = rng.randrange(len(data) + 1)
        end = min(len(data), start + rng.randrange(1, 40))
        part, rest = data[start:end], data[end:]
        flipped = bytes(byte ^ (1 << rng.randrange(8)) for byte in part[:1]) + part[1:]
        ways = [b"", bytes(len(part + rest)), flipped + rest, part + part + rest, rest]
        ways += [rng.choice(TOKENS) + part + rest] * 2
        data = data[:start] + rng.choice(ways)
    return data


def typed(main: Callable[[list[str]], int], *argv: str) -> int:
    """Return a command's exit code; raises where it fails without a word."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(list(argv))
        except SystemExit as stop:
            code = stop.code
    if code and "error: " not in said.getvalue():
        raise AssertionError(f"exit code {code} without a word")
    return code


def annotations(rng: random.Random, count: int) -> Iterator[Check]:
    """Yield checks of annotation files: nothing of what is labelled is lost."""
    for name in ("a", "b", "c"):
        Image.new("RGB", (40, 30), "red").save(f"image/{name}.jpg")
    labels = [("a", "CSQU 305438 3"), ("b", "HLXU 200841 9")]
    entries = [{"image_path": f"image/{a}.jpg", "container_number": n} for a, n in labels]
    good = json.dumps({"images": entries}, indent=1).encode()
    for value in drawn(ENTRIES, count // 2, rng.randrange(10**6)):
        text = json.dumps({"images": value}, ensure_ascii=rng.random() < 0.5)
        yield partial(check_annotations, text.encode("utf-8", "surrogatepass"))
    for _ in range(count - count // 2):
        yield partial(check_annotations, damaged(rng, good))


def check_annotations(data: bytes) -> str | None:
    """Check one annotations.json."""
    path = Path("annotations.json")
    path.write_bytes(data)
    typed(prepare_dataset.main, "--mode", "prepare")
    if path.read_bytes() != data:
        return "lost: prepare has changed the labels"
    code = typed(prepare_dataset.main, "--mode", "create_template")
    if code:
        return None if path.read_bytes() == data else "lost: changed, and an error"
    before, after = (parse_annotations(d, path) for d in (data, path.read_bytes()))
    kept = {**after, "images": after["images"][: len(before["images"])]}
    return None if repr(kept) == repr(before) else "lost: a label is not what it was"


def results(rng: random.Random, count: int) -> Iterator[Check]:
    """Yield checks of result files, compared with themselves."""
    Path("truth.json").write_text(
        json.dumps({"images": [{"image_path": "a.jpg", "container_number": "CSQU 305438 3"}]})
    )
    reading = Reading(
        "CSQU 305438 3", (), 0.97, "CSQU 305438 3 22G1", (), (("X", 0.5),), status="ok"
    )
    for i in range(count):
        path = Path(f"r.{('txt', 'csv', 'jsonl')[i % 3]}")
        both = [Result("a.jpg", reading), Result("b\t.jpg", reading)]
        write_results(path, MADE_BY, both, "images")
        yield partial(check_results, path, damaged(rng, path.read_bytes()))


def check_results(path: Path, data: bytes) -> None:
    """Check one result file."""
    path.write_bytes(data)
    files = ["--compare", str(path), str(path), "--annotation_file", "truth.json"]
    typed(batch_process.main, *files)


def cut_results(rng: random.Random, count: int) -> Iterator[Check]:
    """Yield checks of result files cut at any byte: that is said, or an error."""
    reading = Reading("CSQU 305438 3", (), 0.97, "MAERSK CSQU 305438 3 22G1", status="ok")
    for i in range(count):
        path = Path(f"cut.{('txt', 'csv', 'jsonl')[i % 3]}")
        both = [Result("a.jpg", reading), Result("한글.jpg", reading)]
        write_results(path, MADE_BY, both, "image")
        data = path.read_bytes()
        yield partial(check_cut, path, data[: rng.randrange(len(data) - 1)])


def check_cut(path: Path, data: bytes) -> str | None:
    """Check one result file that is cut."""
    path.write_bytes(data)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            read_run(str(path))
    except UserError:
        return None
    return None if "is not whole" in said.getvalue() else f"wrong: whole: {data!r}"


def data_sets(rng: random.Random, count: int) -> Iterator[Check]:
    """Yield checks of train.json files."""
    Image.new("RGB", (40, 30), "red").save("image/a.jpg")
    row = {"image": "image/a.jpg", "prefix": "<OCR>", "suffix": "CSQU 305438 3"}
    good = json.dumps([row, row]).encode()
    values = [{**row, rng.choice([*row]): rng.choice(ODD)} for _ in range(count // 2)]
    for data in [json.dumps([v]).encode() for v in values]:
        yield partial(check_data_set, data)
    for _ in range(count - count // 2):
        yield partial(check_data_set, damaged(rng, good))


def check_data_set(data: bytes) -> str | None:
    """Check one train.json."""
    Path("train.json").write_bytes(data)
    try:
        examples = read_examples("--train", "train.json")
    except UserError:
        return None
    whole = all(e.image_path.is_file() and e.number.strip() for e in examples)
    return None if whole else "wrong: an example that cannot be learnt"


def names(rng: random.Random, count: int) -> Iterator[Check]:
    """Yield checks of photos' names: listed, written and read back as they are."""
    for i, name in enumerate(drawn(NAMES, count, rng.randrange(10**6))):
        yield partial(check_name, name, ("txt", "csv", "jsonl")[i % 3])


def check_name(name: str, suffix: str) -> str | None:
    """Check one name of a photo."""
    shutil.rmtree("named", ignore_errors=True)
    Path("named").mkdir()
    try:
        Path("named", f"n{name}.jpg").touch()
    except (OSError, UnicodeEncodeError):  # no name of a file
        return None
    images = list_images("named")
    path = Path(f"names.{suffix}")
    write_results(path, MADE_BY, [Result(image, Reading()) for image in images], "images")
    found = [result.image for result in read_results(path)[1]]
    here = [os.fsdecode(entry) for entry in os.listdir(b"named")]
    return None if found == images == [f"named/{n}" for n in here] else f"wrong: {name!r}"


def images(rng: random.Random, count: int) -> Iterator[Check]:
    """Yield checks of photos: an error if and only if Pillow cannot decode it."""
    picture = Image.effect_noise((96, 80), 90).convert("RGB")
    for i in range(count):
        suffix = [*FORMATS][i % len(FORMATS)]
        picture.save(f"photo.{suffix}", **FORMATS[suffix])
        path = Path(f"photo.{suffix}")
        yield partial(check_image, path, damaged(rng, path.read_bytes()))


def check_image(path: Path, data: bytes) -> str | None:
    """Check one photo."""
    path.write_bytes(data)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            image.load()
        decodes = True
    except Exception:
        decodes = False
    try:
        image, _ = open_photo(path)
    except ImageError:
        return "wrong: a photo is an error" if decodes else None
    return None if decodes and image.mode == "RGB" else "wrong: no photo is one"


def broken_folder(rng: random.Random, folder: Path, files: list[str]) -> tuple[Path, str]:
    """Return a copy of a folder with one file damaged, as bytes or in one value, and its name."""
    shutil.rmtree("broken", ignore_errors=True)
    shutil.copytree(folder, "broken")
    path = Path("broken", rng.choice(files))
    if path.suffix == ".json" and rng.random() < 0.6:
        value = json.loads(path.read_text(encoding="utf-8"))
        place = value
        while isinstance(inner := place[key := rng.choice([*place])], dict) and inner:
            place = inner
        place[key] = rng.choice(ODD)
        path.write_text(json.dumps(value))
        return Path("broken"), key
    if rng.random() < 0.2:
        path.unlink()
    else:
        path.write_bytes(damaged(rng, path.read_bytes()))
    return Path("broken"), path.name


def logits_of(model: torch.nn.Module, processor: object) -> torch.Tensor:
    """Return the logits for a grey image and a fixed answer."""
    inputs = prepare_inputs(processor, [Image.new("RGB", (80, 60), "grey")], ["CSQU 305438 3"])
    with torch.inference_mode():
        return model(**inputs).logits


ADAPTERS = ("adapter", "broken")
BY_TENSORS = {"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"}


def adapters(rng: random.Random, count: int, model: Path) -> Iterator[Check]:
    """Yield checks of adapters: plain peft's logits, or an error."""
    base = Florence2ForConditionalGeneration.from_pretrained(model)
    config = LoraConfig(r=4, target_modules=["q_proj", "fc2"], init_lora_weights=False)
    get_peft_model(base, config).save_pretrained("adapter")
    for key, value in itertools.product(("rank_pattern", "alpha_pattern"), HOSTILE):
        if count > len(HOSTILE) * 4:  # in a short run there is no time for them
            count -= 1
            yield lambda k=key, v=value: check_adapter(model, *changed_adapter(k, {v: 4}))
    files = ["adapter_config.json"] * 3 + ["adapter_model.safetensors"]
    for _ in range(count):
        yield lambda: check_adapter(model, *broken_folder(rng, Path("adapter"), files))


HOSTILE = ["(.+)+!", "(a|a)*$", "((q*)*)*k", ".*", "(", "", "\\w+", "q_proj"]


def changed_adapter(key: str, value: object) -> tuple[Path, str]:
    """Return a copy of the adapter with one value of its configuration changed, and its name."""
    shutil.rmtree("broken", ignore_errors=True)
    shutil.copytree("adapter", "broken")
    path = Path("broken/adapter_config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    return Path("broken"), key


def check_adapter(model: Path, folder: Path, changed: str) -> str | None:
    """Check one adapter."""
    try:
        require_model(str(model), str(folder), "cpu")
        ours, processor = load_model(model, folder, "cpu", "fp32")
    except UserError:
        return None
    try:
        base = Florence2ForConditionalGeneration.from_pretrained(model)
        plain = PeftModel.from_pretrained(base, folder).eval()
        was, now = (json.loads(Path(f, "adapter_config.json").read_text()) for f in ADAPTERS)
    except Exception:  # which asks more of the configuration than we do
        return None
    same = torch.allclose(logits_of(ours, processor), logits_of(plain, processor), 1e-3, 1e-3)
    if same or any(was.get(key) != now.get(key) for key in BY_TENSORS):
        return None  # what is adapted is where the tensors say, not where the configuration says
    return f"wrong: {changed}: not as plain peft"


def models(rng: random.Random, count: int, model: Path) -> Iterator[Check]:
    """Yield checks of models: what loads can read, what cannot is an error."""
    files = [path.name for path in model.iterdir()] + ["config.json"] * 3
    for _ in range(count):
        yield lambda: check_model(*broken_folder(rng, model, files))


def check_model(folder: Path, changed: str) -> None:
    """Check one model."""
    try:
        require_model(str(folder), None, "cpu")
        ocr = ContainerOCR(str(folder), device="cpu", dtype="fp32", looks=1)
        ocr.read(Image.new("RGB", (80, 60), "red"))
    except UserError:
        return


MAKERS = {
    "annotation files": annotations,
    "data sets": data_sets,
    "result files": results,
    "cut result files": cut_results,
    "names of photos": names,
    "photos": images,
    "adapters": adapters,
    "models": models,
}
