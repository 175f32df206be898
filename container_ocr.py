"""Read the number painted on a shipping container (ISO 6346, `CSQU 305438 3`) with Florence-2.

    python container_ocr.py photo.jpg
    python container_ocr.py a.jpg b.jpg --lora_path ./florence-container-lora --json

prints one line per photo: image, number, status, confidence and the model's raw text, tab-separated
(or one JSON object per photo). Status is `ok` (a number that checks), `review` (look at it: the
reason follows), `none` (no number) or `error` (the image could not be read).

From Python:

    from container_ocr import ContainerOCR, FinetunedContainerOCR, find_numbers, is_valid
    reading = FinetunedContainerOCR("./florence-container-lora").read("photo.jpg")
    reading.number, reading.is_valid, reading.confidence   # 'CSQU 305438 3', True, 0.97

This is the one module that the other three scripts share. A number is never invented or repaired:
each of its characters stands in the model's text, and parts put together make it a `review`.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import functools
import json
import math
import os
import platform
import re
import sys
import tempfile
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # heavy: imported where a model or an image is really needed
    import torch
    from peft import PeftModel
    from PIL import Image
    from transformers import (
        BatchFeature,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )

DEFAULT_MODEL = "florence-community/Florence-2-large"
PROMPT = "<OCR>"  # must stand alone: the processor turns it into "What is the text in the image?"
BEAMS = 3  # no dearer than greedy: the vision tower is most of the work
MAX_NEW_TOKENS = 128  # nearly all the text on a busy container door; a tuned model stops at a dozen
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
# How text is written: a file name that is no Unicode becomes an escape, which JSON reads back.
TEXT = {"encoding": "utf-8", "newline": "\n", "errors": "backslashreplace"}
DEVICES = ("auto", "cuda", "mps", "cpu")
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}

# ISO 6346: the place of a character in this string is its value; 11, 22 and 33 are skipped.
ALPHABET = "0123456789A BCDEFGHIJK LMNOPQRSTU VWXYZ"
NUMBER = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}")
MAX_GAP = 6  # words of other text tolerated inside a number that checks

# Words of digits that are no part of a number: phone numbers, weights, size-type codes, 30480KGS.
OTHER_DIGITS = re.compile(
    r"(?<![A-Z0-9])(?:\+?[0-9]{1,4}(?:-[0-9]{2,4}){2,}"
    r"|(?:TEL|CALL|PHONE|FAX)[^A-Z0-9]*[0-9][0-9 ()+-]*"
    r"|[0-9]{1,5}(?:[.,:/'\"][0-9]+)+[A-Z]*"
    r"|[1-9LM][0-9A-Z][A-Z][0-9]|[0-9]{1,5}[A-Z]+)(?![A-Z0-9])"
)

EMBEDDING = "model.language_model.shared.weight"
NOT_LOADED = (  # copies of it, and the original's constant zero
    "language_model.final_logits_bias",
    "lm_head.weight",
    "model.language_model.encoder.embed_tokens.weight",
    "model.language_model.decoder.embed_tokens.weight",
)
# Microsoft's tensor names to transformers' own, applied in this order.
MICROSOFT_NAMES = (
    (r"^vision_tower\.", "model.vision_tower."),
    (r"\.convs\.(\d+)\.proj\.", r".convs.\1.conv."),
    (r"\.(conv[12])\.fn\.dw\.", r".\1."),
    (r"\.(?:window|channel)_attn\.norm\.", ".norm1."),
    (r"\.(window|channel)_attn\.fn\.", r".\1_attn."),
    (r"\.ffn\.norm\.", ".norm2."),
    (r"\.ffn\.fn\.net\.", ".ffn."),
    (r"^image_projection$", "model.multi_modal_projector.image_projection.weight"),
    (r"^image_pos_embed\.", "model.multi_modal_projector.image_position_embed."),
    (r"^(image_proj_norm|visual_temporal_embed)\.", r"model.multi_modal_projector.\1."),
    (r"^language_model\.model\.", "model.language_model."),
    (r"^language_model\.lm_head\.", "lm_head."),
)
# The tokens that Microsoft's processor adds to BART's 50,265, in its order (and its spelling).
MICROSOFT_TOKENS = [
    f"<{name}>"
    for name in (
        *("od", "/od", "ocr", "/ocr"),
        *(f"loc_{i}" for i in range(1000)),
        *("cap", "/cap", "ncap", "/ncap", "dcap", "/dcap", "grounding", "/grounding"),
        *("seg", "/seg", "sep", "region_cap", "/region_cap"),
        *("region_to_desciption", "/region_to_desciption", "proposal", "/proposal"),
        *("poly", "/poly", "and"),
    )
]


# ---- errors and the command line -------------------------------------------------------------


class UserError(Exception):
    """Say in one sentence what the user can mend: bad data."""

    exit_code = 1


class FlagError(UserError):
    """Say which flag has a value that cannot work."""

    exit_code = 2


class ImageError(UserError):
    """Say why one image cannot be read."""


class ModelError(UserError):
    """Say why a checkpoint or an adapter cannot be used."""


class ArgumentParser(argparse.ArgumentParser):
    """Parse flags and show their defaults; a mistake is one `error:` line and exit code 2."""

    def __init__(self, doc: str):
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(description=doc, formatter_class=formatter, allow_abbrev=False)

    def add_argument(self, *names: str, **options) -> argparse.Action:
        """Add a flag; its help text ends with its default."""
        if "action" not in options and options.get("default") is not None:
            options["help"] += " (default: %(default)s)"
        return super().add_argument(*names, **options)

    def error(self, message: str) -> None:
        """Print one line and exit with code 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def command(main: Callable[[list[str] | None], int]) -> Callable[..., int]:
    """Make `main` end with the contract's exit codes: a `UserError` becomes one line on stderr."""

    @functools.wraps(main)
    def run(argv: list[str] | None = None) -> int:
        for stream in (sys.stdout, sys.stderr):  # names may hold what the terminal cannot show
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        try:
            return main(argv)
        except BrokenPipeError:  # the reader of our output, as `| head`, has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return UserError.exit_code
        except (UserError, OSError) as error:  # OSError: the disk is full, a drive is gone
            say(f"error: {error}")
            return getattr(error, "exit_code", UserError.exit_code)
        except KeyboardInterrupt:
            say("error: interrupted")
            return 130

    return run


@contextlib.contextmanager
def out_of_memory(remedy: str) -> Iterator[None]:
    """Turn a device's or the machine's out-of-memory error into one line that says what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        from accelerate.utils.memory import should_reduce_batch_size

        if isinstance(error, RuntimeError) and not should_reduce_batch_size(error):
            raise
        raise UserError(f"out of memory: {remedy}") from None


def one_line(text: object) -> str:
    """Return a text without line ends and tabs, its runs of white space made one."""
    return " ".join(str(text).split())


def escape_controls(text: str) -> str:
    r"""Return a file name in which tabs, line ends and backslashes are `\t`, `\n`, `\r`, `\\`."""
    return text.translate({ord(char): repr(char)[1:-1] for char in "\\\t\n\r"})


def say(message: str) -> None:
    """Print progress, a warning or an error on stderr; of many processes the first speaks."""
    if os.environ.get("RANK", "0") == "0":
        print(re.sub(r"[\t\n\r]", lambda c: repr(c[0])[1:-1], message), file=sys.stderr, flush=True)


def add_model_flags(parser: argparse.ArgumentParser, lora: bool = True) -> None:
    """Add the flags that choose what reads, where and how precisely: the same in every script."""
    add, default = parser.add_argument, f"default: {DEFAULT_MODEL}"
    if lora:
        add("--lora_path", metavar="DIR", help="adapter made by finetune_florence.py")
        default = f"default: the adapter's, else {DEFAULT_MODEL}"
    add("--model", metavar="ID_OR_DIR", help=f"hub id or folder of a Florence-2 ({default})")
    add("--device", default="auto", choices=DEVICES, help="auto takes the first that is there")
    add("--dtype", default="auto", choices=["auto", *DTYPES], help="auto goes by the device")


def positive(text: str) -> int:
    """Parse a flag's value that must be a whole number above zero."""
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def seed(text: str) -> int:
    """Parse a flag's value that can seed every random generator: 0 to 2^32 - 1."""
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def check_model_flags(args: argparse.Namespace) -> None:
    """Raise `FlagError` for a model, adapter or device that is not there; needs no torch."""
    require_device(args.device, drivers_present())
    lora_path = getattr(args, "lora_path", None)
    if lora_path is not None:
        read_adapter_config(lora_path)
    model = base_model(args.model, lora_path)
    if Path(model).is_dir():
        read_model_config(Path(model))
    elif Path(model).exists() or not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", model):
        source = f", the base of adapter {lora_path}," if lora_path and not args.model else ""
        raise FlagError(
            f"--model {model}{source} is neither a folder nor an id like {DEFAULT_MODEL}; pass "
            "--model FOLDER"
        )


# ---- ISO 6346 --------------------------------------------------------------------------------


def ascii_upper(text: str) -> str:
    """Return `text` in upper case with full-width forms made plain, of the same length."""
    plain = (unicodedata.normalize("NFKC", character).upper() for character in text)
    return "".join(new if len(new) == 1 else old for old, new in zip(text, plain))


def compact(text: str) -> str:
    """Return a number without spaces and dashes, in upper case: `csqu 305438-3` → `CSQU3054383`."""
    return re.sub(r"[\s\-_\u2010-\u2015\u2212]", "", ascii_upper(text))


def check_digit(number: str) -> str:
    """Return the check digit that the first ten characters of `number` ask for, by ISO 6346.

    Each character's value times 2^position, summed, mod 11; 10 becomes 0. Raises ValueError where
    the ten are not three letters, one of U, J, Z, and six digits.
    """
    code = compact(number)[:10]
    if not NUMBER.fullmatch(code + "0"):
        raise ValueError(f"{number!r} does not begin with an owner code and six digits")
    total = sum(ALPHABET.index(c) << place for place, c in enumerate(code))
    return str(total % 11 % 10)


def is_valid(number: object) -> bool:
    """Tell whether `number` is a whole ISO 6346 number with the right check digit."""
    code = compact(number) if isinstance(number, str) else ""
    return bool(NUMBER.fullmatch(code)) and check_digit(code) == code[10]


def split_number(number: str) -> tuple[str, str, str]:
    """Return owner code, serial number and check digit; what is missing is an empty string."""
    code = compact(number)
    return code[:4], code[4:10], code[10:]


def format_number(number: str) -> str:
    """Return a number as it is painted: `CSQU3054383` → `CSQU 305438 3`."""
    return " ".join(part for part in split_number(number) if part)


@dataclass(frozen=True)
class Candidate:
    """A number in a text: ten characters (check digit missing) or eleven, and where they stand.

    `gap` counts the words of other text inside it, and one more if its parts are out of order;
    `start` and `end` are indices into the text.
    """

    number: str
    gap: int
    start: int
    end: int

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Return the sort key, best first: checks, is whole, is in one piece, comes early."""
        return not is_valid(self.number), len(self.number) < 11, self.gap, self.start


@functools.cache
def number_patterns() -> list[tuple[bool, re.Pattern[str]]]:
    """Return (doubtful, pattern) for each way in which OCR leaves the pieces of a number."""
    owner = r"(?P<owner>[A-Z] *[A-Z] *[A-Z] *[UJZ])"
    serial = r"(?<![0-9])(?P<serial>[0-9](?: *[0-9]){5})"
    digit = r"(?P<digit>[0-9])"
    words, whole_word = r"(?: +[^ ]+){%d} +", r"(?P<serial>[0-9]{6})"
    ways = [
        (False, rf"{owner} *{serial}(?: *{digit})?(?![0-9])"),
        # a size-type code stands between
        (False, rf"{owner}(?: +~+)+ +{whole_word}(?: *{digit})?(?![0-9])"),
        (True, rf"{owner} *{serial}{digit}(?=[0-9])"),  # the size-type code is glued on
        (True, rf"(?<![A-Z]){serial} *{digit} +{owner}"),  # read out of order
    ]
    for before in range(MAX_GAP + 1):
        apart = owner + words % before + serial
        ways.append((True, rf"{apart} *{digit}(?![0-9])"))
        for after in range(1, MAX_GAP - 1):
            ways.append((True, apart + words % after + rf"{digit}(?![^ ])"))
    return [(doubtful, re.compile(f"(?={way})")) for doubtful, way in ways]


def find_candidates(text: str) -> list[Candidate]:
    """Return the best candidate for each owner code in `text`, best first.

    Where other text stands inside a number or touches it, only one that checks is believed; and
    where six digits follow the owner code directly, no others are believed to be its serial.
    """
    plain = OTHER_DIGITS.sub(lambda word: "~" * len(word[0]), ascii_upper(text))
    plain = re.sub(r"[^A-Z0-9~]", " ", plain)
    best: dict[int, Candidate] = {}
    for doubtful, pattern in number_patterns():
        for match in pattern.finditer(plain):
            candidate, start = candidate_of(match), match.start("owner")
            glued = plain[start - 1 : start].isalpha()  # MAERSKMSKU: lines run together
            pieces = len(match["owner"].split())
            if (glued and pieces > 1) or (candidate.gap and 1 < pieces < 4):
                continue  # letters of several words
            inside = plain[candidate.start : candidate.end]
            if (doubtful or (glued and " " in inside)) and not is_valid(candidate.number):
                continue
            known = best.setdefault(start, candidate)
            if known.gap or known.number[:10] == candidate.number[:10]:
                best[start] = min(known, candidate, key=lambda c: c.rank)
    return rank_candidates(best.values())


def candidate_of(match: re.Match[str]) -> Candidate:
    """Return the candidate that one of the `number_patterns` has found."""
    parts = [part for part in ("owner", "serial", "digit") if match[part]]
    starts, ends = [match.start(part) for part in parts], [match.end(part) for part in parts]
    number = compact("".join(match[part] for part in parts))
    before, after = match.string[ends[0] : starts[1]], match.string[ends[1] : starts[-1]]
    words = before.replace("~", " ").split() + after.split()  # a size-type code may stand before
    return Candidate(number, len(words) + (starts != sorted(starts)), min(starts), max(ends))


def rank_candidates(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return each number once, best first; what stands more often leads among equals."""
    best: dict[str, Candidate] = {}
    times = Counter(candidate.number for candidate in candidates)
    for candidate in sorted(candidates, key=lambda c: c.rank):
        best.setdefault(candidate.number, candidate)
    whole = {number[:10] for number in best if len(number) == 11}
    kept = [c for c in best.values() if len(c.number) == 11 or c.number not in whole]
    return sorted(kept, key=lambda c: (*c.rank[:2], -times[c.number], *c.rank[2:]))


def find_numbers(text: str) -> list[str]:
    """Return the container numbers in free text, compact, best first: a valid check digit leads.

    Owner code, serial and check digit may stand in pieces, on several lines, boxed or with other
    text between. Size-type codes, weights and phone numbers are passed over; nothing is repaired.
    """
    return [c.number for c in find_candidates(text) if len(c.number) == 11]


# ---- measuring -------------------------------------------------------------------------------


def edit_distance(a: str, b: str) -> int:
    """Return the Levenshtein distance: insertions, deletions and substitutions from `a` to `b`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def score(pairs: Sequence[tuple[str | None, str]]) -> dict[str, float]:
    """Return the rates of (number read or None, true number) pairs; spaces and case do not count.

    `character_error_rate` is edit distance over true characters (0 is perfect, it may pass 1);
    the others are shares of the pairs: whole number right, each part right, check digit fits.
    """
    pairs = [(compact(read or ""), compact(truth)) for read, truth in pairs]
    parts = [(split_number(read), split_number(truth)) for read, truth in pairs]
    count = max(1, len(pairs))
    edits = sum(edit_distance(read, truth) for read, truth in pairs)
    rates = {
        "exact_match": sum(read == truth for read, truth in pairs) / count,
        "character_error_rate": edits / max(1, sum(len(truth) for _, truth in pairs)),
    }
    for place, name in enumerate(("owner_code", "serial_number", "check_digit")):
        rates[name] = sum(read[place] == truth[place] for read, truth in parts) / count
    return rates | {"check_digit_rate": sum(is_valid(read) for read, _ in pairs) / count}


# ---- files and images ------------------------------------------------------------------------


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of `path`; turn what keeps it from being written into a `FlagError`."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise FlagError(f"cannot write {relative_path(path)}: {error.strerror}") from None


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[TextIO]:
    """Write a text file beside `path` and rename it in place when all of it is on the disk.

    A crash leaves the old file. Raises `FlagError` where nothing can be written there.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    new = path.with_name(path.name + ".new")
    with writing(path):
        file = open(new, "w", **TEXT)
    with file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def write_json(path: Path | str, value: object) -> None:
    """Replace a JSON file that people may read; raises `FlagError` like `replacing`."""
    with replacing(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def relative_path(path: Path) -> str:
    """Return `path` as seen from the working directory, with `/` on every system."""
    try:
        shown = Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()
    return f"./{shown}" if shown.startswith("#") else shown  # no comment in a result file


def photo_key(image_path: str, folder: Path) -> str:
    """Return one spelling for all names of a photo: the real file's, or else a plain path."""
    with contextlib.suppress(ImageError):
        image_path = os.path.realpath(find_image(image_path, folder))
    plain = os.path.normpath(image_path.replace("\\", "/")).replace(os.sep, "/")
    return unicodedata.normalize("NFC", plain)


def list_images(folder: Path | str) -> list[str]:
    """Return the images in `folder` and below, as `relative_path`s, sorted.

    Raises `FlagError` where there is no such folder, `UserError` where it holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        kind = "is a file, not a folder" if folder.exists() else "no such folder"
        raise FlagError(f"{folder}: {kind}; name the folder that holds your photos")
    below = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    files = [folder / f for f in below if not any(part.startswith(".") for part in f.parts)]
    images = [f for f in files if f.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        seen = ", ".join(sorted({f.suffix or f.name for f in files})[:5]) or "nothing"
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise UserError(f"no image in {folder} (it holds {seen}); these are read: {kinds}")
    if passed_over := sum(f.suffix.lower() in (".heic", ".heif") for f in files):
        say(f"warning: {passed_over} .heic photos passed over; save them as JPEG to have them read")
    return sorted(map(relative_path, images))


def find_image(image_path: str, folder: Path) -> Path:
    """Return where an image listed in a JSON file is: from the working directory, else `folder`.

    Raises `ImageError` where it is in neither.
    """
    for base in (Path(), folder):
        for form in ("NFC", "NFD"):  # Korean names copied from a Mac come decomposed
            for spelling in (image_path, image_path.replace("\\", "/")):
                path = base / unicodedata.normalize(form, spelling)
                with contextlib.suppress(OSError, ValueError):  # a name that no system allows
                    if path.is_file():
                        return path
    hint = "" if image_path.isprintable() else " (write / between folders, not a backslash)"
    raise ImageError(f"no such file{hint}")


@contextlib.contextmanager
def opening(path: Path | str) -> Iterator[None]:
    """Turn whatever Pillow raises for a file into an `ImageError` with the reason."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large photos and odd EXIF are no news to the user
            yield
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except UnidentifiedImageError:
        reason = "empty file" if os.path.getsize(path) == 0 else "not an image that Pillow can read"
        raise ImageError(reason) from None
    except Image.DecompressionBombError:
        limit = 2 * Image.MAX_IMAGE_PIXELS // 10**6
        raise ImageError(f"over {limit} million pixels; make it smaller") from None
    except Exception as error:  # a decoder given damaged bytes raises whatever it meets
        reason = getattr(error, "strerror", None) or f"damaged image: {one_line(error)}"
        raise ImageError(reason) from None


def check_image(path: Path | str) -> None:
    """Raise `ImageError` unless a photo can be decoded; a JPEG is only decoded small."""
    from PIL import Image

    with opening(path), Image.open(path) as image:
        image.draft("RGB", (64, 64))
        image.load()


def load_image(path: Path | str) -> Image.Image:
    """Return the photo in a file as an upright RGB PIL image; raises `ImageError`."""
    from PIL import Image

    with opening(path), Image.open(path) as image:
        return to_rgb(image)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return any PIL image as RGB: upright by EXIF, alpha over white, 16 bits scaled to 8."""
    from PIL import Image, ImageOps

    with contextlib.suppress(Exception):  # EXIF that cannot be parsed: the photo as it lies
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        pixels = image.convert("F")
        peak = pixels.getextrema()[1]
        white = next((w for w in (1, 255, 4095, 65535) if peak <= w), peak)  # 8, 12 or 16 bits
        image = pixels.point(lambda value: value * (255 / white) + 0.5).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


# ---- the model -------------------------------------------------------------------------------


def drivers_present() -> list[str]:
    """Return the kinds of device whose driver this machine has, best first, without torch."""
    present = ["cpu"]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        present.insert(0, "mps")
    for library in ("libcuda.so.1", "nvcuda.dll", "libamdhip64.so"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(library)
            return ["cuda", *present]
    return ["cuda", *present] if Path("/dev/kfd").exists() else present


def require_device(name: str, present: list[str]) -> None:
    """Raise `FlagError` for a device that is not among those present."""
    if name not in ("auto", *present):
        raise FlagError(f"--device {name} is not on this machine, which has: {', '.join(present)}")


def choose_device(name: str = "auto") -> str:
    """Return the torch device to use, and print which and why; raises `FlagError` if absent."""
    import torch

    present = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    require_device(name, [*present, "cpu"])
    if name != "auto":
        say(f"device: {name}, as asked")
        return name
    better = {"cuda": "a GPU is here", "mps": "no cuda, but Apple's GPU is here"}
    device = [*present, "cpu"][0]
    say(f"device: {device} ({better.get(device, 'neither cuda nor mps here')})")
    return device


def choose_dtype(name: str, device: str) -> str:
    """Return the precision of the weights, fp32, bf16 or fp16, and print which and why."""
    import torch

    if name not in ("auto", *DTYPES):
        raise FlagError(f"dtype {name} is none of auto, {', '.join(DTYPES)}")
    if name != "auto":
        say(f"dtype: {name}, as asked")
    elif device != "cuda":
        name = "fp32"
        say(f"dtype: fp32 (the safe choice on {device}; --dtype bf16 takes less memory)")
    else:
        name = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        say(f"dtype: {name} ({'this' if name == 'bf16' else 'no bf16 on this'} GPU)")
    return name


def read_json(path: Path) -> dict:
    """Return a checkpoint's JSON file; raises `ModelError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot read {path}: {error}") from None
    if not isinstance(value, dict):
        raise ModelError(f"cannot read {path}: not a JSON object")
    return value


def read_adapter_config(folder: Path | str) -> dict:
    """Return the peft configuration in an adapter folder; raises `FlagError` if it is none."""
    path = Path(folder)
    if not (path / "adapter_config.json").is_file():
        kind = "holds no adapter_config.json" if path.is_dir() else "no such folder"
        raise FlagError(f"--lora_path {folder}: {kind}; name the --output of finetune_florence.py")
    if not (path / "adapter_model.safetensors").is_file():
        raise FlagError(f"--lora_path {folder}: no adapter_model.safetensors (pickle is not read)")
    return read_json(path / "adapter_config.json")


def read_model_config(folder: Path) -> dict:
    """Return the configuration of a Florence-2 folder; raises `FlagError` if it is none."""
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise FlagError(f"--model {folder} holds an adapter: pass it with --lora_path")
    if not (folder / "config.json").is_file():
        raise FlagError(f"--model {folder}: no config.json in it; name a Florence-2 folder")
    config = read_json(folder / "config.json")
    if config.get("model_type") != "florence2":
        raise FlagError(f"--model {folder} is a {config.get('model_type')} model, not Florence-2")
    if not weight_files(folder):
        raise FlagError(f"--model {folder}: no model.safetensors in it (pickle is not read)")
    return config


def weight_files(folder: Path) -> list[Path]:
    """Return a model folder's safetensors: the one file, or its shards."""
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def base_model(model: str | None, lora_path: str | None) -> str:
    """Return the model asked for, else the one the adapter was trained on, else the default."""
    if model is None and lora_path is not None:
        model = read_adapter_config(lora_path).get("base_model_name_or_path")
    return str(model or DEFAULT_MODEL)


def fetch_model(model: str) -> Path:
    """Return the folder of a model, downloading an id once; raises `ModelError` if that fails."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    say(f"model: {model}, from the hub or its cache on this machine")
    try:
        return Path(snapshot_download(model, allow_patterns=["*.json", "*.txt", "*.safetensors"]))
    except Exception as error:  # the hub's errors have no common class
        reason = shorten(str(error), 120, placeholder=" ...") or type(error).__name__
        raise ModelError(
            f"{model} is no folder here and cannot be fetched ({reason}); copy the model's folder "
            "from a machine with a network and pass --model FOLDER"
        ) from None


def rename_microsoft(name: str) -> str:
    """Return transformers' own name for one of Microsoft's tensor names; others stay."""
    for pattern, replacement in MICROSOFT_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def microsoft_config(config: dict, vocab_size: int, image_token_id: int) -> Florence2Config:
    """Return the native form of a configuration in Microsoft's layout."""
    from transformers import Florence2Config

    vision = dict(config["vision_config"])
    source = vision.pop("image_feature_source")
    if source != ["spatial_avg_pool", "temporal_avg_pool"]:
        raise ModelError(f"image_feature_source {source} is not the published Florence-2's")
    positions, temporal = vision.pop("image_pos_embed"), vision.pop("visual_temporal_embedding")
    vision["embed_dim"] = vision.pop("dim_embed")
    vision["max_position_embeddings"] = positions["max_pos_embeddings"]
    vision["max_temporal_embeddings"] = temporal["max_temporal_embeddings"]
    vision["model_type"] = "florence_vision"
    text = {**config["text_config"], "model_type": "bart", "vocab_size": vocab_size}
    return Florence2Config(text_config=text, vision_config=vision, image_token_id=image_token_id)


def microsoft_processor(folder: Path) -> Florence2Processor:
    """Return the native processor for a folder in Microsoft's layout; `<image>` comes last."""
    from transformers import AutoImageProcessor, BartTokenizer, Florence2Processor

    tokenizer = BartTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"extra_special_tokens": [*MICROSOFT_TOKENS, "<image>"]})
    with tempfile.TemporaryDirectory() as saved:  # named on loading: named first, it would be 50265
        tokenizer.save_pretrained(saved)
        tokenizer = BartTokenizer.from_pretrained(saved, image_token="<image>")
    return Florence2Processor(AutoImageProcessor.from_pretrained(folder), tokenizer)


def microsoft_weights(folder: Path, image_token_id: int) -> dict[str, torch.Tensor]:
    """Return the tensors of a folder in Microsoft's layout under their native names.

    The embedding grows by a zero row for `<image>`; what stands twice or is unused is dropped.
    """
    import torch
    from einops import rearrange
    from safetensors.torch import load_file

    state = {}
    for file in weight_files(folder):
        state |= {rename_microsoft(name): tensor for name, tensor in load_file(file).items()}
    for name in NOT_LOADED:
        state.pop(name, None)
    projection = "model.multi_modal_projector.image_projection.weight"
    state[projection] = rearrange(state[projection], "vision text -> text vision").contiguous()
    words = state[EMBEDDING]
    if len(words) < image_token_id:
        raise ModelError(
            f"{folder}: {len(words)} embeddings, but <image> would be {image_token_id}"
        )
    if len(words) == image_token_id:
        state[EMBEDDING] = torch.cat([words, torch.zeros_like(words[:1])])
    return state


@contextlib.contextmanager
def loading(source: Path | str) -> Iterator[None]:
    """Turn what a damaged checkpoint makes the libraries raise into a `ModelError`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"cannot load {source}: {one_line(error)[:300]}") from None


def load_checkpoint(
    folder: Path, dtype: str
) -> tuple[Florence2ForConditionalGeneration, Florence2Processor]:
    """Return model and processor from a folder in either layout; raises `ModelError`.

    Every weight must come from the folder's safetensors: a tensor missing, left over or of another
    shape is an error, where transformers would draw it at random.
    """
    import torch
    from transformers import Florence2Config, Florence2ForConditionalGeneration, Florence2Processor
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", module="transformers|peft")
    raw, source, state = read_model_config(folder), folder, None
    with loading(folder):
        if "dim_embed" in raw["vision_config"]:
            processor = microsoft_processor(folder)
            image_token_id = processor.tokenizer.image_token_id
            source, state = None, microsoft_weights(folder, image_token_id)
            config = microsoft_config(raw, len(state[EMBEDDING]), image_token_id)
        else:
            processor = Florence2Processor.from_pretrained(folder)
            config = Florence2Config.from_pretrained(folder)
        model, info = Florence2ForConditionalGeneration.from_pretrained(
            source,
            config=config,
            state_dict=state,
            dtype=getattr(torch, DTYPES[dtype]),
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported, and refused below by name
        )
    for problem, names in info.items():
        if names:
            raise ModelError(f"cannot load {folder}: {problem.replace('_', ' ')}: {min(names)}")
    return model, processor


def attach_adapter(model: Florence2ForConditionalGeneration, lora_path: Path | str) -> PeftModel:
    """Return `model` with the LoRA adapter in a folder; raises `ModelError`.

    Adapters trained on Microsoft's remote code have their tensors renamed. The modules to adapt are
    those the tensors name, so a tensor that finds no place cannot go unseen.
    """
    from peft import PeftConfig, PeftModel, set_peft_model_state_dict
    from safetensors.torch import load_file

    head = "base_model.model."
    with loading(f"adapter {lora_path}"):
        saved = load_file(Path(lora_path) / "adapter_model.safetensors")
        tensors = {rename_microsoft(name.removeprefix(head)): t for name, t in saved.items()}
        adapted = {name: name.split(".lora_")[0] for name in tensors if ".lora_" in name}
        modules = dict(model.named_modules())
        homeless = [name for name, module in adapted.items() if module not in modules]
        config = PeftConfig.from_pretrained(lora_path)
        config.inference_mode, config.target_modules = True, sorted(set(adapted.values()))
        config.exclude_modules = config.layers_to_transform = None
        if not homeless:
            network = PeftModel(model, config)
            rows = len(model.get_output_embeddings().weight)
            state = {head + name: grown(name, tensor, rows) for name, tensor in tensors.items()}
            result = set_peft_model_state_dict(network, state)
            homeless = result.unexpected_keys
    if homeless:
        raise ModelError(f"adapter {lora_path}: the model has no place for {homeless[0]}")
    if lacking := [name for name in result.missing_keys if ".lora_" in name]:
        raise ModelError(f"adapter {lora_path} lacks {lacking[0]}")
    return network


def grown(name: str, tensor: torch.Tensor, rows: int) -> torch.Tensor:
    """Return an adapter's tensor; one with a row for each word gets zero rows for what we added."""
    import torch

    per_word = name in (EMBEDDING, "lm_head.base_layer.weight", "lm_head.lora_B.weight")
    if not per_word or len(tensor) >= rows:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(rows - len(tensor), *tensor.shape[1:])])


def load_model(
    model: str | Path,
    lora_path: str | Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> tuple[Florence2ForConditionalGeneration | PeftModel, Florence2Processor]:
    """Return (model, processor), native classes in eval mode, from a hub id or a folder.

    Both published layouts load, from safetensors only and without remote code. Raises `FlagError`
    for a device or folder that is not there, `ModelError` for one that cannot be used.
    """
    folder = fetch_model(str(model))
    device = choose_device(device)
    network, processor = load_checkpoint(folder, choose_dtype(dtype, device))
    if lora_path is not None:
        network = attach_adapter(network, lora_path)
    return network.to(device).eval(), processor


# ---- reading ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transcript:
    """What the model wrote: the text, and each token's end in it and log-probability."""

    text: str
    ends: tuple[int, ...]
    log_probs: tuple[float, ...]

    def probability(self, start: int, end: int) -> float:
        """Return the model's probability, 0 to 1, of the tokens that wrote text[start:end]."""
        starts = (0, *self.ends)
        tokens = zip(starts, self.ends, self.log_probs)
        return math.exp(sum(log_p for a, b, log_p in tokens if a < b and a < end and start < b))


@dataclass(frozen=True)
class Reading:
    """What was read from one photo.

    `number` is as painted (`CSQU 305438 3`) or None; `confidence` is the model's own probability,
    0 to 1, of the characters of that number; `status` is ok, review, none or error, with `reason`;
    `numbers` holds all that were found, compact, best first.
    """

    number: str | None = None
    status: str = "none"
    reason: str = ""
    confidence: float = 0.0
    raw_text: str = ""
    numbers: tuple[str, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Tell whether the number is whole and its check digit fits."""
        return is_valid(self.number)

    @property
    def owner_code(self) -> str:
        """Return the four letters, or an empty string."""
        return split_number(self.number or "")[0]

    @property
    def serial_number(self) -> str:
        """Return the six digits, or an empty string."""
        return split_number(self.number or "")[1]

    @property
    def check_digit(self) -> str:
        """Return the last digit, or an empty string where it was not read."""
        return split_number(self.number or "")[2]

    def row(self, image_path: str) -> dict[str, object]:
        """Return the reading as one flat record; the raw text on one line."""
        fields = asdict(self) | {"raw_text": one_line(self.raw_text)}
        del fields["numbers"]
        return {"image": image_path, **fields, "confidence": round(self.confidence, 3)}


def interpret(transcript: Transcript) -> Reading:
    """Return the reading of what the model wrote. Nothing is repaired: doubts become `review`."""
    raw_text = transcript.text.strip()
    found = find_candidates(transcript.text)
    if not found:
        return Reading(raw_text=raw_text)
    best = found[0]
    boxes: dict[str, str] = {}
    for candidate in found:
        boxes.setdefault(candidate.number[:10], format_number(candidate.number))
    reason = ""
    if len(best.number) < 11:
        reason = "check digit not read"
    elif not is_valid(best.number):
        reason = "check digit does not fit"
    elif best.gap:
        reason = "its parts stand apart or out of order"
    elif len(boxes) > 1:
        reason = f"several containers: {', '.join(boxes.values())}"
    return Reading(
        number=format_number(best.number),
        status="review" if reason else "ok",
        reason=reason,
        confidence=transcript.probability(best.start, best.end),
        raw_text=raw_text,
        numbers=tuple(c.number for c in found),
    )


def prepare_inputs(
    processor: Florence2Processor,
    images: Sequence[Image.Image],
    labels: Sequence[str] | None = None,
    prompt: str = PROMPT,
) -> BatchFeature:
    """Return the model's inputs for RGB images of any size: the one way for training and reading.

    `pixel_values` is (batch, 3, side, side), squashed to a square; with `labels` the answers'
    tokens come too, (batch, longest answer), their padding -100 so that no loss counts it.
    """
    inputs = processor(text=[prompt] * len(images), images=list(images), return_tensors="pt")
    if labels is not None:
        answers = processor.tokenizer(list(labels), padding=True, return_tensors="pt")
        padding = answers["attention_mask"] == 0
        inputs["labels"] = answers["input_ids"].masked_fill(padding, -100)
    return inputs


def transcribe(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    encoder_state: torch.Tensor,
    attention_mask: torch.Tensor,
) -> list[Transcript]:
    """Return what the model writes for each photo, given the encoder's output.

    `encoder_state` is (batch, tokens, width); it is not changed.
    """
    from transformers.modeling_outputs import BaseModelOutput

    ids = processor.tokenizer
    longest = model.config.text_config.max_position_embeddings - 1
    sequences = model.generate(
        encoder_outputs=BaseModelOutput(encoder_state.clone()),  # generate expands it in place
        attention_mask=attention_mask,
        max_new_tokens=min(MAX_NEW_TOKENS, longest),
        num_beams=BEAMS,
        do_sample=False,
        early_stopping=True,
        no_repeat_ngram_size=0,  # a number may stand twice in the photo
        forced_bos_token_id=ids.bos_token_id,
        suppress_tokens=[ids.image_token_id],
    )
    logits = model(
        encoder_outputs=BaseModelOutput(encoder_state),
        attention_mask=attention_mask,
        decoder_input_ids=sequences[:, :-1],
    ).logits
    written = sequences[:, 1:]
    log_probs = logits.float().log_softmax(-1).gather(-1, written[..., None])[..., 0]
    transcripts = []
    for tokens, scores in zip(written.tolist(), log_probs.tolist()):
        texts = [
            processor.tokenizer.decode(tokens[: end + 1], skip_special_tokens=True)
            for end in range(len(tokens))
        ]
        transcripts.append(Transcript(texts[-1], tuple(map(len, texts)), tuple(scores)))
    return transcripts


class ContainerOCR:
    """Read container numbers with Florence-2, loaded once.

    `model` is a hub id or a folder, `lora_path` an adapter made by finetune_florence.py.
    """

    def __init__(
        self,
        model: str | None = None,
        lora_path: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
    ):
        base = base_model(model, lora_path)
        self.model, self.processor = load_model(base, lora_path, device, dtype)

    def read(self, image: str | Path | Image.Image) -> Reading:
        """Return the reading of one photo, a file or a PIL image; raises `ImageError`."""
        if isinstance(image, (str, Path)):
            image = load_image(image)
        else:
            with opening(getattr(image, "filename", "")):
                image = to_rgb(image)
        return self.read_batch([image])[0]

    def read_batch(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Return the readings of RGB images, in order; each is read as if it were alone."""
        import torch

        if not images:
            return []
        with torch.inference_mode():
            inputs = prepare_inputs(self.processor, images).to(self.model.device, self.model.dtype)
            start = torch.full((len(images), 1), self.processor.tokenizer.eos_token_id)
            encoded = self.model(**inputs, decoder_input_ids=start.to(self.model.device))
            state = encoded.encoder_last_hidden_state
            transcripts = transcribe(self.model, self.processor, state, inputs["attention_mask"])
        return [interpret(transcript) for transcript in transcripts]


class FinetunedContainerOCR(ContainerOCR):
    """Read container numbers with a LoRA adapter, on the model that it was trained on."""

    def __init__(self, lora_path: str, model: str | None = None, **options: str):
        super().__init__(model, lora_path, **options)


def read_images(
    paths: Iterable[str], batch_size: int, reader: Callable[[], ContainerOCR]
) -> Iterator[tuple[str, Reading]]:
    """Yield (path, reading) in order; an image that cannot be read gives an `error` reading.

    `reader` is called when the first good image asks for it: loading a model takes seconds.
    """
    paths = iter(paths)
    while batch := list(islice(paths, batch_size)):
        images, readings = {}, {}
        for path in batch:
            try:
                images[path] = load_image(path)
            except ImageError as error:
                say(f"error: {path}: {error}")
                readings[path] = Reading(status="error", reason=str(error))
        if images:
            with out_of_memory(f"lower --batch_size (now {batch_size}) or use --dtype bf16"):
                readings |= zip(images, reader().read_batch(list(images.values())))
        yield from ((path, readings[path]) for path in batch)


# ---- the command -----------------------------------------------------------------------------


def format_row(row: dict[str, object]) -> str:
    """Return a reading's record as a line: image, number, status, confidence, text by tabs."""
    status = f"{row['status']}: {row['reason']}" if row["reason"] else row["status"]
    image, number = escape_controls(row["image"]), row["number"] or ""
    return "\t".join((image, number, status, f"{row['confidence']:.3f}", row["raw_text"]))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    parser.add_argument("images", nargs="+", metavar="photo.jpg", help="photos to read")
    add_model_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Read photos and print a line for each; exit code 1 if any could not be read."""
    args = build_parser().parse_args(argv)
    check_model_flags(args)
    reader = functools.cache(
        lambda: ContainerOCR(args.model, args.lora_path, args.device, args.dtype)
    )
    failed = 0
    for path, reading in read_images(args.images, 1, reader):
        row = reading.row(path)
        print(json.dumps(row, ensure_ascii=False) if args.json else format_row(row), flush=True)
        failed += reading.status == "error"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
