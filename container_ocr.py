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

Each photo is read twice from one pass of the vision tower: freely, and inside ISO 6346, where the
model can write nothing but valid numbers. A number in the free text that checks is the number;
otherwise the likeliest valid one is offered as a `review` that says what the text has instead, so
nothing is invented or repaired in silence. What is not `ok` is cut out and read again, larger.

This is the one module that the other three scripts share.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import functools
import json
import math
import multiprocessing
import os
import platform
import re
import signal
import sys
import tempfile
import threading
import unicodedata
import warnings
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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
        DynamicCache,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
        PreTrainedTokenizerBase,
    )

DEFAULT_MODEL = "florence-community/Florence-2-large"
PROMPT = "<OCR>"  # must stand alone: the processor turns it into "What is the text in the image?"
BEAMS = 5  # hardly dearer than greedy: the vision tower is most of the work
MAX_NEW_TOKENS = 128  # nearly all the text on a busy container door; a tuned model stops at a dozen
REVIEW_BELOW = 0.5  # confidence; the calibration behind it is in demo/README.md
UNLIKELY = 0.005  # of the probability of what is written: less makes a valid number no option
CLOSE = 0.5  # a rival that is so likely, as a share of the number's probability, is a doubt
MOST_WORKERS = 16  # processes that open photos ahead of the model
FEW_PHOTOS = 16  # up to so many, starting processes costs more than they save
SEVERAL = "several containers"
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
# How text is written: a file name that is no Unicode becomes an escape, which JSON reads back.
TEXT = {"encoding": "utf-8", "newline": "\n", "errors": "backslashreplace"}
DEVICES = ("auto", "cuda", "mps", "cpu")
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
BF16_UNITS = {"avx512_bf16", "amx_bf16", "sve_bf16", "bf16"}  # of a CPU, as torch names them
MALLOC_OPTIONS = {-4: 0, -1: 2**31 - 1}  # glibc's M_MMAP_MAX and M_TRIM_THRESHOLD, in bytes

# ISO 6346: the place of a character in this string is its value; 11, 22 and 33 are skipped.
ALPHABET = "0123456789A BCDEFGHIJK LMNOPQRSTU VWXYZ"
NUMBER = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}")
PAINTED = "AAAU 000000 0"  # what stands at each place of a number as it is painted
KINDS = {"A": ALPHABET[10:].replace(" ", ""), "U": "UJZ", "0": ALPHABET[:10], " ": " "}
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
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory: {remedy}") from None


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error says that a device or the machine has no memory left."""
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, MemoryError) or should_reduce_batch_size(error)


def one_line(text: object) -> str:
    """Return a text without line ends and tabs, its runs of white space made one."""
    return " ".join(str(text).split())


def escape_controls(text: str) -> str:
    r"""Return a file name in which tabs, line ends and backslashes are `\t`, `\n`, `\r`, `\\`."""
    return text.translate({ord(char): repr(char)[1:-1] for char in "\\\t\n\r"})


def say(message: str) -> None:
    """Print progress, a warning or an error on stderr; of many processes the first speaks."""
    if is_first_process():
        print(re.sub(r"[\t\n\r]", lambda c: repr(c[0])[1:-1], message), file=sys.stderr, flush=True)


def is_first_process() -> bool:
    """Tell whether this is the only process, or the first that `accelerate launch` started."""
    return os.environ.get("RANK", "0") == "0"


def process_count() -> int:
    """Return how many processes `accelerate launch` has started, on all machines; else 1."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def add_model_flags(parser: argparse.ArgumentParser, lora: bool = True) -> None:
    """Add the flags that choose what reads, where and how precisely: the same in every script."""
    add, default = parser.add_argument, f"default: {DEFAULT_MODEL}"
    if lora:
        add("--lora_path", metavar="DIR", help="adapter made by finetune_florence.py")
        default = f"default: the adapter's, else {DEFAULT_MODEL}"
    add("--model", metavar="ID_OR_DIR", help=f"hub id or folder of a Florence-2 ({default})")
    add("--device", default="auto", choices=DEVICES, help="auto takes the first that is there")
    add("--dtype", default="auto", choices=["auto", *DTYPES], help="auto goes by the device")


def add_reading_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say when a reading is doubtful, and what is done then."""
    add = parser.add_argument
    unsure = "a number with less confidence is for review"
    add("--review_below", type=share, default=REVIEW_BELOW, help=unsure)
    again = "cut out what is not ok and read it again, larger (default: yes)"
    add("--second_look", action=argparse.BooleanOptionalAction, default=True, help=again)
    add("--owner_codes", metavar="FILE", help="known owner codes, one per line; others: review")


def share(text: str) -> float:
    """Parse a flag's value from 0 to 1."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")


def read_owner_codes(path: str | None) -> frozenset[str]:
    """Return the owner codes in a file, one per line, # for comments; raises `FlagError`."""
    if path is None:
        return frozenset()
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise FlagError(f"cannot read --owner_codes {path}: {reason}") from None
    codes = {compact(line.split("#")[0]): place for place, line in enumerate(lines, 1)}
    codes.pop("", None)
    for code, place in codes.items():
        if not re.fullmatch("[A-Z]{3}[UJZ]", code):
            raise FlagError(
                f"--owner_codes {path}, line {place}: {code} is no owner code like CSQU"
            )
    if not codes:
        raise FlagError(f"--owner_codes {path} holds no owner code")
    return frozenset(codes)


def reader_of(args: argparse.Namespace) -> Callable[[], ContainerOCR]:
    """Return a function that loads, once, the reader that the flags ask for."""
    owner_codes = read_owner_codes(args.owner_codes)
    return functools.cache(
        lambda: ContainerOCR(
            args.model,
            args.lora_path,
            args.device,
            args.dtype,
            args.review_below,
            args.second_look,
            owner_codes,
        )
    )


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


def load_image(path: Path | str, size: tuple[int, int] | None = None) -> Image.Image:
    """Return the photo in a file as an upright RGB PIL image; raises `ImageError`.

    With `size`, (width, height), it is squashed to that; a large JPEG is decoded at a half, a
    quarter or an eighth, as long as that is no smaller either way round.
    """
    from PIL import Image

    with opening(path), Image.open(path) as image:
        if size is None:
            return to_rgb(image)
        image.draft("RGB", (max(size), max(size)))
        return squash(to_rgb(image), size)


def squash(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return an image resized to (width, height), whatever its shape: what the model sees."""
    from PIL import Image

    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


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


@contextlib.contextmanager
def workers(count: int) -> Iterator[Executor | None]:
    """Give processes that open photos ahead of the model; none where `count` is 0.

    They import no torch. One that dies, as where memory is short, is a `UserError`.
    """
    if not count:
        yield None
        return
    spawned = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
    pool = ProcessPoolExecutor(count, spawned, begin_worker)
    try:
        yield pool
    except BrokenProcessPool:
        raise UserError(
            "a process that opens photos was ended by the system: close other programs"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def begin_worker() -> None:
    """Have a worker leave Ctrl-C to the process that started it, and end when that has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def worker_count(photos: int, device: str) -> int:
    """Return how many processes shall open so many photos: a model on the CPU needs the cores."""
    cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if photos <= FEW_PHOTOS:
        return 0
    return 1 if device == "cpu" else max(1, min(MOST_WORKERS, cores - 1))


def submit(pool: Executor | None, function: Callable, *args: object) -> Future:
    """Return the result to come of a call in one of the `workers`; without any, call it here."""
    if pool is not None:
        return pool.submit(function, *args)
    future = Future()
    try:
        future.set_result(function(*args))
    except UserError as error:
        future.set_exception(error)
    return future


def ahead(tasks: Iterable[tuple], pool: Executor | None, count: int) -> Iterator[Future]:
    """Yield the results to come of (function, *arguments), in order, so many of them under way."""
    futures: deque[Future] = deque()
    for task in tasks:
        futures.append(submit(pool, *task))
        if len(futures) > (count if pool else 0):
            yield futures.popleft()
    yield from futures


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
    elif device == "cpu":
        units = BF16_UNITS & {unit for unit, there in cpu_capabilities().items() if there}
        name = "bf16" if units else "fp32"
        reason = f"has {min(units)}, so it is faster than fp32" if units else "has no unit for bf16"
        say(f"dtype: {name} (this CPU {reason})")
    elif device == "cuda":
        name = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        say(f"dtype: {name} ({'this' if name == 'bf16' else 'no bf16 on this'} GPU)")
    else:
        name = "fp32"
        say(f"dtype: fp32 (the safe choice on {device}; --dtype bf16 takes less memory)")
    return name


def cpu_capabilities() -> dict[str, object]:
    """Return what torch knows of this CPU; nothing where torch is too old to tell."""
    import torch

    return getattr(torch.cpu, "get_capabilities", dict)()


def keep_freed_memory() -> None:
    """Have glibc keep what is freed: on the CPU, handing it back and forth takes a fifth."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in MALLOC_OPTIONS.items():
            mallopt(option, value)


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
    from transformers import (
        AttentionInterface,
        AttentionMaskInterface,
        Florence2Config,
        Florence2ForConditionalGeneration,
        Florence2Processor,
    )
    from transformers.masking_utils import sdpa_mask
    from transformers.utils import logging

    keep_freed_memory()
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
    AttentionInterface.register("share_photos", share_photos)
    AttentionMaskInterface.register("share_photos", sdpa_mask)
    AttentionInterface.register("attend_photo", attend_photo)
    model.model.language_model.set_attn_implementation("share_photos")
    model.model.vision_tower.set_attn_implementation("attend_photo")
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

    Both published layouts load, from safetensors only and without remote code; an adapter is merged
    into the weights. Raises `FlagError` for a device or folder that is not there, `ModelError` for
    one that cannot be used.
    """
    folder = fetch_model(str(model))
    device = choose_device(device)
    network, processor = load_checkpoint(folder, choose_dtype(dtype, device))
    if lora_path is not None:
        network = merge_adapter(attach_adapter(network, lora_path))
    return network.to(device).eval(), processor


def merge_adapter(model: PeftModel) -> Florence2ForConditionalGeneration | PeftModel:
    """Return the model with its adapter added to the weights: reading takes no second product.

    One that adapts the words stays as it is, since input and output share these weights.
    """
    adapted = {name.rpartition(".lora_")[0] for name, _ in model.named_parameters()}
    if any(name.endswith(("lm_head", "shared", "embed_tokens")) for name in adapted):
        return model
    return model.merge_and_unload()


# ---- reading ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transcript:
    """What the model wrote: the text, and each token's end in it and log-probability.

    `alternatives` are the valid numbers with which it could have begun instead, each with the
    model's probability of that, the likeliest first.
    """

    text: str
    ends: tuple[int, ...]
    log_probs: tuple[float, ...]
    alternatives: tuple[tuple[str, float], ...] = ()

    def probability(self, start: int, end: int) -> float:
        """Return the model's probability, 0 to 1, of the tokens that wrote text[start:end]."""
        starts = (0, *self.ends)
        tokens = zip(starts, self.ends, self.log_probs)
        return math.exp(sum(log_p for a, b, log_p in tokens if a < b and a < end and start < b))


@dataclass(frozen=True)
class Reading:
    """What was read from one photo.

    `number` is as painted (`CSQU 305438 3`) or None; `confidence` is the model's own probability,
    0 to 1, of that number among all that it could have written; `status` is ok, review, none or
    error, with `reason`. `numbers` holds all that stand in the text, compact, best first;
    `alternatives` up to five valid numbers, as painted, each with its probability.
    """

    number: str | None = None
    status: str = "none"
    reason: str = ""
    confidence: float = 0.0
    raw_text: str = ""
    numbers: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()

    @property
    def is_ok(self) -> bool:
        """Tell whether there is a number and no doubt."""
        return self.status == "ok"

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
        fields["alternatives"] = [[n, round(p, 3)] for n, p in self.alternatives if p >= 0.0005]
        return {"image": image_path, **fields, "confidence": round(self.confidence, 3)}


def interpret(
    transcript: Transcript,
    review_below: float = REVIEW_BELOW,
    owner_codes: Collection[str] = (),
) -> Reading:
    """Return the reading of what the model wrote; doubts make it a `review`.

    A number in the text that checks is the number. Where none does, it is the likeliest valid
    number, if the model finds it likely at all: as a `review` that says what the text has instead.
    """
    found, numbers = find_candidates(transcript.text), dict(transcript.alternatives)
    written = transcript.probability(found[0].start, found[0].end) if found else 1.0
    likely = {number: p for number, p in numbers.items() if p >= UNLIKELY * written}
    number, reason = choose_number(found, likely, owner_codes)
    confidence = numbers.get(number, 0.0)
    if found and number == found[0].number:
        confidence = max(confidence, written)
    rivals = [n for n, p in numbers.items() if n != number and p > CLOSE * confidence]
    if number and not reason and rivals:
        reason = f"nearly as likely: {', '.join(map(format_number, rivals))}"
    if number and not reason:
        reason = doubt_confidence(confidence, review_below)
    return Reading(
        number=format_number(number) or None,
        status=("review" if reason else "ok") if number else "none",
        reason=reason,
        confidence=confidence,
        raw_text=transcript.text.strip(),
        numbers=tuple(c.number for c in found),
        alternatives=tuple((format_number(n), p) for n, p in numbers.items()),
    )


def choose_number(
    found: Sequence[Candidate], likely: dict[str, float], owner_codes: Collection[str]
) -> tuple[str, str]:
    """Return the number to report, or an empty string, and why it is doubtful, if it is.

    `found` stands in the free text, best first; `likely` are valid numbers with probabilities. An
    owner code that is not among `owner_codes`, where there are any, gives way to one that is.
    """
    number, reason = found[0].number if found else "", doubt(found)
    if likely and not is_valid(number):
        reason = f"the text has {format_number(number) or 'no number'}"
        number = max(likely, key=likely.get)
    if number and owner_codes and number[:4] not in owner_codes:
        reason += f"{'; ' if reason else ''}owner code {number[:4]} is not in the list"
        known = {n: p for n, p in likely.items() if n[:4] in owner_codes}
        if known:
            number = max(known, key=known.get)
            reason += f", {number[:4]} is"
    return number, reason


def doubt(found: Sequence[Candidate]) -> str:
    """Return why the best of the candidates is doubtful; empty: it is not."""
    if not found:
        return ""
    best = found[0]
    if len(best.number) < 11:
        return "check digit not read"
    if not is_valid(best.number):
        return "check digit does not fit"
    if best.gap:
        return "its parts stand apart or out of order"
    boxes: dict[str, str] = {}
    for candidate in found:
        boxes.setdefault(candidate.number[:10], format_number(candidate.number))
    return f"{SEVERAL}: {', '.join(boxes.values())}" if len(boxes) > 1 else ""


def doubt_confidence(confidence: float, review_below: float) -> str:
    """Return why a number of this confidence is doubtful; empty: it is not."""
    return f"confidence below {review_below:g}" if confidence < review_below else ""


def prepare_inputs(
    processor: Florence2Processor,
    images: Sequence[Image.Image],
    labels: Sequence[str] | None = None,
    prompt: str = PROMPT,
    device: torch.device | str = "cpu",
) -> dict[str, torch.Tensor]:
    """Return the model's inputs for RGB images of any size: the one way for training and reading.

    `pixel_values` is (photos, 3, height, width), in fp32, squashed to the model's size and
    normalized on the device; with `labels` the answers' tokens come too, see `encode_answers`.
    """
    import torch
    from einops import rearrange

    size, recipe = input_size(processor), processor.image_processor
    photos = b"".join(squash(image, size).tobytes() for image in images)
    levels = torch.frombuffer(bytearray(photos), dtype=torch.uint8).to(device)
    pixels = rearrange(levels, "(photo y x c) -> photo c y x", photo=len(images), x=size[0], c=3)
    mean, std = torch.tensor([recipe.image_mean, recipe.image_std], device=device)[..., None, None]
    words = torch.tensor([encode_prompt(processor, prompt)] * len(images), device=device)
    inputs = {
        "pixel_values": (pixels * recipe.rescale_factor - mean) / std,
        "input_ids": words,
        "attention_mask": torch.ones_like(words),
    }
    return inputs if labels is None else inputs | {"labels": encode_answers(processor, labels)}


def input_size(processor: Florence2Processor) -> tuple[int, int]:
    """Return the (width, height) of the images that the model sees."""
    size = processor.image_processor.size
    return size["width"], size["height"]


@functools.lru_cache(maxsize=8)
def encode_prompt(processor: Florence2Processor, prompt: str) -> tuple[int, ...]:
    """Return the tokens of a prompt, those of the image before it: alike for all photos."""
    from PIL import Image

    blank = Image.new("RGB", (1, 1))
    return tuple(processor(text=[prompt], images=[blank])["input_ids"][0])


def encode_answers(processor: Florence2Processor, answers: Sequence[str]) -> torch.Tensor:
    """Return the labels, (answers, longest), padded with -100 so that no loss counts it."""
    tokens = processor.tokenizer(list(answers), padding=True, return_tensors="pt")
    return tokens["input_ids"].masked_fill(tokens["attention_mask"] == 0, -100)


class NumberGrammar:
    """A `LogitsProcessor` that lets every second group of beams write nothing but valid numbers.

    Over the tokenizer's whole vocabulary it knows for each state which tokens may follow and what
    state they lead to: `steps`, (states, tokens). A state is how many characters of a number as it
    is painted are written, and the ISO 6346 sum of these, mod 11.
    """

    FREE, FREE_START, START, END, REFUSED, FIRST = range(6)

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tokens: int):
        import torch

        states = self.FIRST + 11 * (len(PAINTED) + 1)
        self.steps = torch.full((states, tokens), self.REFUSED, dtype=torch.int16)
        self.steps[self.FREE] = self.FREE
        self.steps[self.FREE, tokenizer.image_token_id] = self.REFUSED
        self.steps[self.FREE_START, tokenizer.bos_token_id] = self.FREE
        self.steps[self.START, tokenizer.bos_token_id] = self.state(0, 0)
        self.steps[self.state(len(PAINTED), 0), tokenizer.eos_token_id] = self.END
        self.steps[self.END, tokenizer.pad_token_id] = self.END
        for token, index in tokenizer.get_vocab().items():
            text = token.replace("\u0120", " ")  # so the byte-level alphabet writes a space
            if re.fullmatch("[A-Z0-9 ]{1,13}", text):
                for before, after in self.moves(text):
                    self.steps[before, index] = after

    def state(self, place: int, total: int) -> int:
        """Return the state after so many characters with this sum, 0 to 10."""
        return self.FIRST + 11 * place + total

    def moves(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (state before, state after) wherever in a number this text may stand."""
        for start in range(len(PAINTED) - len(text) + 1):
            end = start + len(text)
            if all(c in KINDS[kind] for c, kind in zip(text, PAINTED[start:end])):
                more = sum(
                    ALPHABET.index(c) << place - (place > 4)
                    for place, c in enumerate(text[: 12 - start], start)
                    if c != " "
                )
                for total in range(11):
                    after = (total + more) % 11
                    if end < len(PAINTED):
                        yield self.state(start, total), self.state(end, after)
                    elif text[-1] == str(after % 10):  # the check digit; 10 is written 0
                        yield self.state(start, total), self.state(end, 0)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, (rows, tokens), with -inf for what may not follow the rows' tokens."""
        import torch

        group = torch.arange(len(input_ids), device=scores.device) // BEAMS
        state = torch.where(group % 2 == 1, self.START, self.FREE_START)
        for written in input_ids[:, 1:].T:
            state = self.steps[state, written].long()
        return scores.masked_fill(self.steps[state] == self.REFUSED, -math.inf)


@functools.lru_cache(maxsize=2)
def number_grammar(
    tokenizer: PreTrainedTokenizerBase, tokens: int, device: torch.device
) -> NumberGrammar:
    """Return the grammar for a tokenizer, its tables on the device; made once."""
    grammar = NumberGrammar(tokenizer, tokens)
    grammar.steps = grammar.steps.to(device)
    return grammar


def share_photos(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Return SDPA's attention; rows that look at one photo share its keys and values.

    `query` is (photos * rows, heads, tokens, width), `key` and `value` are (photos, heads, image
    tokens, width): no key is computed or kept twice for the beams of a photo.
    """
    from einops import rearrange
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    rows = len(query) // len(key)
    mask = attention_mask if rows == 1 else None
    query = rearrange(query, "(photo row) head token d -> photo head (row token) d", row=rows)
    seen_by_all = mask is None and not module.is_causal and not options.get("dropout")
    if seen_by_all and products_are_faster(query):
        seen = multiply(query, key, value, options["scaling"])
    else:
        seen, _ = sdpa_attention_forward(module, query, key, value, mask, **options)
    return rearrange(seen, "photo (row token) head d -> (photo row) token head d", row=rows), None


def attend_photo(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Return SDPA's attention over windows, and over channels the same in a third of its time.

    Each is (photos, heads, tokens, width). In DaViT's channel attention the tokens are channels, 32
    a head, and the width is the whole photo: the place of the long axis decides what is copied.
    """
    from einops import rearrange
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if query.shape[-1] > query.shape[-2]:
        shares = (query @ key.mT * scaling).softmax(-1)
        seen = value.mT @ shares.mT
        return rearrange(seen, "photo head place channel -> photo channel head place"), None
    if products_are_faster(query):
        return multiply(query, key, value, scaling), None
    options["scaling"] = scaling
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


def products_are_faster(query: torch.Tensor) -> bool:
    """Tell whether `multiply` beats SDPA: in bf16 on a CPU it does, by far on the way back."""
    import torch

    return query.device.type == "cpu" and query.dtype == torch.bfloat16


def multiply(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Return attention by plain matrix products, (photos, tokens, heads, width)."""
    shares = (query * scaling @ key.contiguous().mT).softmax(-1)
    return (shares @ value.contiguous()).transpose(1, 2).contiguous()


def look(
    model: Florence2ForConditionalGeneration | PeftModel, count: int, **inputs: object
) -> DynamicCache:
    """Return what the decoder sees of `count` photos: the keys and values of its cross-attention.

    `inputs` are those that `prepare_inputs` gives, or the encoder's output for them.
    """
    import torch

    first = model.config.text_config.decoder_start_token_id
    start = torch.full((count, 1), first, device=model.device)
    seen = model(**inputs, decoder_input_ids=start, use_cache=True).past_key_values
    seen.cross_attention_cache.reorder_cache = lambda beams: None  # a photo's beams share it
    return seen.cross_attention_cache


def from_memory(model: torch.nn.Module, photos: DynamicCache, rows: int) -> dict[str, object]:
    """Return inputs for so many rows that look at photos seen before; nothing is encoded again."""
    import torch
    from transformers import DynamicCache, EncoderDecoderCache
    from transformers.modeling_outputs import BaseModelOutput

    width = model.config.text_config.d_model  # never looked at, but the decoder asks for a state
    state = torch.zeros(rows, 1, width, dtype=model.dtype, device=model.device)
    cache = EncoderDecoderCache(DynamicCache(), photos)
    return {"encoder_outputs": BaseModelOutput(state), "past_key_values": cache}


def log_probabilities(
    model: Florence2ForConditionalGeneration | PeftModel,
    photos: DynamicCache,
    sequences: torch.Tensor,
) -> torch.Tensor:
    """Return the log-probability of each token after the first, (rows, tokens - 1)."""
    inputs = from_memory(model, photos, len(sequences))
    logits = model(**inputs, decoder_input_ids=sequences[:, :-1]).logits.float()
    return logits.log_softmax(-1).gather(-1, sequences[:, 1:, None])[..., 0]


def transcribe(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    photos: DynamicCache,
) -> list[Transcript]:
    """Return what the model writes for each photo that it took a `look` at.

    Each is read twice at once, freely and inside ISO 6346, by BEAMS beams that share the photo.
    """
    from einops import rearrange

    tokenizer, count = processor.tokenizer, len(photos.layers[0].keys)
    longest = model.config.text_config.max_position_embeddings - 1
    tokens = model.get_output_embeddings().out_features
    sequences = model.generate(
        **from_memory(model, photos, 2 * count),
        max_new_tokens=min(MAX_NEW_TOKENS, longest),
        num_beams=BEAMS,
        num_return_sequences=BEAMS,
        do_sample=False,
        early_stopping=False,  # five poor short texts must not end the search for a good long one
        no_repeat_ngram_size=0,  # a number may stand twice in the photo
        logits_processor=[number_grammar(tokenizer, tokens, model.device)],
    )
    kinds = "(photo kind beam) token -> kind photo beam token"
    free, valid = rearrange(sequences, kinds, kind=2, beam=BEAMS)
    free = free[:, 0]
    free_scores = log_probabilities(model, photos, free).tolist()
    alternatives = weigh_numbers(model, tokenizer, photos, valid)
    transcripts = []
    for written, scores, numbers in zip(free[:, 1:].tolist(), free_scores, alternatives):
        texts = [
            tokenizer.decode(written[: end + 1], skip_special_tokens=True)
            for end in range(len(written))
        ]
        ends = tuple(map(len, texts))
        transcripts.append(Transcript(texts[-1], ends, tuple(scores), numbers))
    return transcripts


def weigh_numbers(
    model: Florence2ForConditionalGeneration | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    photos: DynamicCache,
    sequences: torch.Tensor,
) -> list[tuple[tuple[str, float], ...]]:
    """Return for each photo the numbers that its beams spell, likeliest first.

    `sequences` is (photos, beams, tokens). A number's probability is that of the model's free text
    to begin with it: among all that could be written. Token paths that spell one number add up.
    """
    from einops import rearrange

    longest = int((sequences != tokenizer.pad_token_id).sum(-1).max())
    rows = rearrange(sequences[..., :longest], "photo beam token -> (photo beam) token")
    log_probs = log_probabilities(model, photos, rows)
    ended = (rows[:, 1:] == tokenizer.pad_token_id) | (rows[:, 1:] == tokenizer.eos_token_id)
    log_probs = log_probs.masked_fill(ended, 0).sum(-1).tolist()  # more text may follow a number
    spelt = zip(tokenizer.batch_decode(rows, skip_special_tokens=True), log_probs)
    found = []
    for _ in sequences:
        numbers: Counter[str] = Counter()
        for text, log_prob in islice(spelt, sequences.shape[1]):
            if is_valid(text):  # beams for which no valid number is left write anything
                numbers[compact(text)] += math.exp(log_prob)
        found.append(tuple(numbers.most_common()))
    return found


def find_places(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    photos: DynamicCache,
    numbers: Sequence[str],
) -> list[Box]:
    """Return where the decoder looks on each photo while it writes this number.

    That is the cross-attention of the number's tokens, averaged over the heads of the upper half of
    the layers: the box between the 5th and the 95th percentile of what is above twice the mean.
    """
    import torch

    answers = processor.tokenizer(list(numbers), padding=True, return_tensors="pt")
    written = answers["input_ids"].to(model.device)
    first = torch.full_like(written[:, :1], model.config.text_config.decoder_start_token_id)
    decoder = model.get_decoder()
    decoder.set_attn_implementation("eager")  # the only one that tells where it looks
    try:
        seen = model(
            **from_memory(model, photos, len(numbers)),
            decoder_input_ids=torch.cat([first, written[:, :-1]], 1),
            output_attentions=True,
        ).cross_attentions
    finally:
        decoder.set_attn_implementation("share_photos")
    width, height = input_size(processor)
    cells = processor.num_image_tokens - 1  # the first token is the photo's mean
    columns = round((cells * width / height) ** 0.5)
    special = torch.tensor(processor.tokenizer.all_special_ids, device=model.device)
    weight = (~torch.isin(written, special)).float()
    looks = torch.stack(seen[len(seen) // 2 :]).float().mean((0, 2))[..., 1 : 1 + cells]
    looks = (looks * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
    looks = (looks - 2 * looks.mean(-1, keepdim=True)).clamp(min=0) + 1e-9
    return [box_of(look.reshape(-1, columns)) for look in looks.cpu()]


def box_of(looks: torch.Tensor) -> Box:
    """Return the box that holds the inner 90 % of what is looked at, (rows, columns), each way."""
    import torch

    edges = []
    for axis in (0, 1):
        share = looks.sum(axis).cumsum(0) / looks.sum()
        start, end = torch.searchsorted(share, torch.tensor([0.05, 0.95])).tolist()
        edges.append((start / len(share), (end + 1) / len(share)))
    (left, right), (top, bottom) = edges
    return Box(left, top, right, bottom)


@dataclass(frozen=True)
class Box:
    """A part of a photo, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def window(
        self, size: tuple[int, int], shape: tuple[int, int]
    ) -> tuple[int, int, int, int] | None:
        """Return the part of a photo round the box, in pixels, in this shape.

        A fifth more each side makes up for the outer characters, of which the box holds the middle.
        None: it would be hardly smaller than the photo, or a few pixels.
        """
        width, height = size
        wide, high = (self.right - self.left) * width, (self.bottom - self.top) * height
        scale = 1.4 * max(wide / shape[0], high / shape[1])
        wide, high = scale * shape[0], scale * shape[1]
        if wide > 0.85 * width or high > 0.85 * height or min(wide, high) < 16:
            return None
        left = min(max(0, (self.left + self.right) / 2 * width - wide / 2), width - wide)
        top = min(max(0, (self.top + self.bottom) / 2 * height - high / 2), height - high)
        return round(left), round(top), round(left + wide), round(top + high)

    def closer(self, image: Image.Image) -> list[Image.Image]:
        """Return the place at full resolution, in the photo's shape; a tall one also turned."""
        from PIL import Image

        width, height = image.size
        tall = (self.bottom - self.top) * height > 2 * (self.right - self.left) * width
        upright, turned = (self.window(image.size, s) for s in ((width, height), (height, width)))
        looks = [image.crop(upright)] if upright else []
        if tall and turned:
            crop = image.crop(turned)
            looks += [crop.transpose(turn) for turn in (Image.ROTATE_90, Image.ROTATE_270)]
        return looks


class ContainerOCR:
    """Read container numbers with Florence-2, loaded once.

    `model` is a hub id or a folder, `lora_path` an adapter made by finetune_florence.py. A number
    less sure than `review_below`, or with an owner that is not among `owner_codes`, where there are
    any, is for review. With `second_look` what is not `ok` is cut out and read again.
    """

    def __init__(
        self,
        model: str | None = None,
        lora_path: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        review_below: float = REVIEW_BELOW,
        second_look: bool = True,
        owner_codes: Collection[str] = (),
    ):
        base = base_model(model, lora_path)
        self.model, self.processor = load_model(base, lora_path, device, dtype)
        self.size = input_size(self.processor)
        self.most_at_once = sys.maxsize  # photos in a batch; less, once memory has run out
        self.review_below, self.second_look = review_below, second_look
        self.owner_codes = frozenset(owner_codes)

    def read(self, image: str | Path | Image.Image) -> Reading:
        """Return the reading of one photo, a file or a PIL image; raises `ImageError`."""
        if not isinstance(image, (str, Path)):
            with opening(getattr(image, "filename", "")):
                image = to_rgb(image)
            return self.read_batch([image])[0]
        ((reading, place),) = self.look_at([load_image(image, self.size)], self.second_look)
        return self.look_again([reading], [cut_out(image, place, self.size) if place else []])[0]

    def read_batch(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Return the readings of RGB images, in order; each is read as if it were alone."""
        seen = self.look_at(images, places=self.second_look)
        crops = [place.closer(image) if place else [] for image, (_, place) in zip(images, seen)]
        return self.look_again([reading for reading, _ in seen], crops)

    def look_again(
        self, readings: list[Reading], crops: Sequence[Sequence[Image.Image]]
    ) -> list[Reading]:
        """Return for each reading the surest of it and those of the crops of the same photo."""
        pictures = [(i, crop) for i, some in enumerate(crops) for crop in some]
        size = max(1, len(readings))
        for start in range(0, len(pictures), size):
            part = pictures[start : start + size]
            seen = self.look_at([crop for _, crop in part], places=False)
            for (i, _), (reading, _) in zip(part, seen):
                readings[i] = max(readings[i], reading, key=lambda r: (r.is_ok, r.confidence))
        return readings

    def look_at(
        self, images: Sequence[Image.Image], places: bool
    ) -> list[tuple[Reading, Box | None]]:
        """Return what one look at each image reads; where asked for and in doubt, its place too.

        Where memory runs out, half as many images are looked at at once, from then on.
        """
        from accelerate.utils.memory import clear_device_cache

        seen = []
        while part := images[len(seen) : len(seen) + self.most_at_once]:
            try:
                seen += self.look_at_once(part, places)
                continue
            except (RuntimeError, MemoryError) as error:
                if len(part) == 1 or not is_out_of_memory(error):
                    raise
            self.most_at_once = half = len(part) // 2
            say(f"warning: out of memory with {len(part)} photos at once: going on with {half}")
            clear_device_cache(garbage_collection=True)  # here: the error holds on to tensors
        return seen

    def look_at_once(
        self, images: Sequence[Image.Image], places: bool
    ) -> list[tuple[Reading, Box | None]]:
        """Return what `look_at` does, all images in one batch."""
        import torch

        with torch.inference_mode():
            inputs = prepare_inputs(self.processor, images, device=self.model.device)
            inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
            photos = look(self.model, len(images), **inputs)
            transcripts = transcribe(self.model, self.processor, photos)
            readings = [interpret(t, self.review_below, self.owner_codes) for t in transcripts]
            in_doubt = [not (r.is_ok or SEVERAL in r.reason) for r in readings]
            if not places or not any(in_doubt):
                return [(reading, None) for reading in readings]
            numbers = [r.number or next((n for n, _ in r.alternatives), PROMPT) for r in readings]
            boxes = find_places(self.model, self.processor, photos, numbers)
        return [(r, box if doubt else None) for r, box, doubt in zip(readings, boxes, in_doubt)]


class FinetunedContainerOCR(ContainerOCR):
    """Read container numbers with a LoRA adapter, on the model that it was trained on."""

    def __init__(self, lora_path: str, model: str | None = None, **options: object):
        super().__init__(model, lora_path, **options)


def read_images(
    paths: Iterable[str], batch_size: int, reader: Callable[[], ContainerOCR]
) -> Iterator[tuple[str, Reading]]:
    """Yield (path, reading) in order; an image that cannot be read gives an `error` reading.

    Photos are opened and squashed in other processes, ahead of the model. What needs a second look
    is cut out there too, while the next batch is read. `reader` is called when the first good image
    asks for it: loading a model takes seconds.
    """
    paths = deque(paths)
    while paths:
        try:
            check_image(paths[0])
            break
        except ImageError as error:
            yield paths[0], error_reading(paths.popleft(), error)
    if not paths:
        return
    with out_of_memory(f"lower --batch_size (now {batch_size}) or use --dtype bf16"):
        ocr, looked = reader(), []
        with workers(worker_count(len(paths), ocr.model.device.type)) as pool:
            opened = ahead(((load_image, path, ocr.size) for path in paths), pool, 2 * batch_size)
            photos = zip(paths, opened)
            while batch := list(islice(photos, batch_size)):
                before, looked = looked, first_look(ocr, batch, pool)
                yield from second_look(ocr, before)
                if all(crops is None or crops.done() for _, _, crops in looked):
                    yield from second_look(ocr, looked)
                    looked = []
            yield from second_look(ocr, looked)


Looked = tuple[str, Reading, Future | None]  # a path, what was read, and the crops to come


def first_look(
    ocr: ContainerOCR, photos: Sequence[tuple[str, Future]], pool: Executor | None
) -> list[Looked]:
    """Return the readings of photos that are being opened; what is in doubt will be cut out."""
    images, looked = {}, {}
    for path, future in photos:
        try:
            images[path] = future.result()
        except ImageError as error:
            looked[path] = error_reading(path, error), None
    seen = ocr.look_at(list(images.values()), places=ocr.second_look) if images else []
    for path, (reading, place) in zip(images, seen):
        looked[path] = reading, place and submit(pool, cut_out, path, place, ocr.size)
    return [(path, *looked[path]) for path, _ in photos]


def second_look(ocr: ContainerOCR, looked: Sequence[Looked]) -> Iterator[tuple[str, Reading]]:
    """Return the path and the surest reading of photos, where crops have been made from these."""
    crops = [future.result() if future else [] for _, _, future in looked]
    readings = ocr.look_again([reading for _, reading, _ in looked], crops)
    return zip([path for path, _, _ in looked], readings)


def cut_out(path: Path | str, place: Box, size: tuple[int, int]) -> list[Image.Image]:
    """Return the crops of `Box.closer` from a photo's file, squashed to (width, height)."""
    try:
        return [squash(crop, size) for crop in place.closer(load_image(path))]
    except ImageError:  # it was there for the first look, which stands
        return []


def error_reading(path: str, error: ImageError) -> Reading:
    """Return the reading of an image that cannot be opened, and say why."""
    say(f"error: {path}: {error}")
    return Reading(status="error", reason=str(error))


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
    add_reading_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Read photos and print a line for each; exit code 1 if any could not be read."""
    args = build_parser().parse_args(argv)
    check_model_flags(args)
    failed, reader = 0, reader_of(args)
    for path, reading in read_images(args.images, 1, reader):
        row = reading.row(path)
        print(json.dumps(row, ensure_ascii=False) if args.json else format_row(row), flush=True)
        failed += reading.status == "error"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
