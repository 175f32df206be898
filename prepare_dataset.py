"""List the photos for labelling, then turn the labels into a training set.

    python prepare_dataset.py --mode create_template --image_folder ./image
    # edit annotations.json by hand: "container_number": "CSQU 305438 3" is enough
    python prepare_dataset.py --mode prepare --output_dir ./dataset

`create_template` writes annotations.json with `TODO` for every photo; run again, it adds new photos
and keeps all that is there. `prepare` checks every label and photo, reports each problem with its
image, and writes train.json (80 %) and val.json (20 %); photos of one container stay together.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from container_ocr import (
    PROMPT,
    ArgumentParser,
    FlagError,
    ImageError,
    UserError,
    check_digit,
    check_image,
    command,
    compact,
    find_image,
    format_number,
    is_valid,
    list_images,
    photo_key,
    relative_path,
    say,
    seed,
    split_number,
    write_json,
)

TODO = "TODO"
PARTS = ("owner_code", "serial_number", "check_digit")
JSON_PROBLEMS = {  # where the json module's words would puzzle a dock worker
    "Expecting ',' delimiter": "a comma is missing before this place",
    "Invalid control character at": "a closing double quote is missing",
    "Expecting property name enclosed in double quotes": "a name in double quotes should be here",
    "Expecting value": "a text in double quotes should be here",
    "Extra data": "nothing more should be here",
    "Invalid \\escape": "write / between folders, not a backslash",
}
FEW_IMAGES = 50
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Example:
    """One labelled photo: where it is and the number as painted."""

    image_path: Path
    number: str

    @property
    def box(self) -> str:
        """Return which container it shows: the number but for its check digit."""
        return compact(self.number)[:10]


# ---- annotations.json ------------------------------------------------------------------------


def decode_text(data: bytes, path: Path) -> str:
    """Return the text of a hand-edited file, with or without a byte-order mark."""
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from None


def parse_json(text: str, path: Path) -> object:
    """Return the value of JSON that may have trailing commas; a mistake says where it is."""
    strings_or_commas = r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])'
    clean = re.sub(strings_or_commas, lambda m: " " if m[0] == "," else m[0], text)
    try:
        return json.loads(clean, object_pairs_hook=unique_keys)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, {explain(error, text)}") from None
    except RecursionError:
        raise UserError(f"{path}: brackets nested too deeply") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def explain(error: json.JSONDecodeError, text: str) -> str:
    """Return where a JSON mistake is, what it is in plain words, and the line or its part."""
    where = f"line {error.lineno}, column {error.colno}"
    if not text.strip():
        return f"{where}: the file is empty"
    if error.pos >= len(text.rstrip()):
        return f"{where}: the file ends too early: a closing quote, }} or ] is missing"
    problem = JSON_PROBLEMS.get(error.msg, error.msg)
    line = text.split("\n")[error.lineno - 1]
    around = line[max(0, error.colno - 60) : error.colno + 60].strip()
    return f"{where}: {problem}, in: {around}"


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the pairs as a dict; a key that stands twice would lose a label in silence."""
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        image = dict(pairs).get("image_path", "an entry")
        raise ValueError(f"{image}: {twice!r} stands twice; keep one")
    return dict(pairs)


def read_json_file(path: Path, flag: str, remedy: str) -> object:
    """Return the value in a JSON file that people may have edited; raises `UserError`."""
    try:
        return parse_json(decode_text(path.read_bytes(), path), path)
    except FileNotFoundError:
        raise FlagError(f"{flag} {path}: no such file; {remedy}") from None
    except OSError as error:
        raise FlagError(f"{flag} {path}: {error.strerror}") from None


def read_annotations(path: Path) -> dict:
    """Return annotations.json with its "images", each an object with an "image_path"."""
    data = read_json_file(path, "--annotation_file", "make it with --mode create_template")
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, list):
        raise UserError(f'{path}: needs {{"images": [...]}} at its top')
    for place, entry in enumerate(images, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("image_path"), str):
            raise UserError(f'{path}: entry {place} of "images" has no "image_path" text')
    return data


def create_template(args: argparse.Namespace) -> None:
    """Add the images of the folder that annotations.json lacks; change nothing else in it."""
    images = list_images(args.image_folder)
    path = Path(args.annotation_file)
    data = read_annotations(path) if path.exists() else {"images": []}
    listed = [entry["image_path"] for entry in data["images"]]
    known = {photo_key(image, path.parent) for image in listed}
    added = [image for image in images if photo_key(image, Path()) not in known]
    gone = [image for image in listed if not is_on_disk(image, path.parent)]
    labels = {"container_number": TODO} | dict.fromkeys(PARTS, TODO)
    data["images"] += [{"image_path": image, **labels} for image in added]
    if added or not path.exists():
        write_json(path, data)
    for image in gone:
        say(f"warning: {image}: no longer found on disk; its entry is kept")
    print(f"{path}: {len(added)} added, {len(listed)} kept, {len(gone)} no longer found on disk")


def is_on_disk(image_path: str, folder: Path) -> bool:
    """Tell whether an annotated image can be found."""
    try:
        return bool(find_image(image_path, folder))
    except ImageError:
        return False


# ---- labels ----------------------------------------------------------------------------------


def is_todo(value: object) -> bool:
    """Tell whether a field still waits for its label."""
    return isinstance(value, str) and value.strip().upper() in ("", TODO)


def label_of(entry: dict) -> str | None:
    """Return an entry's number as painted, or None while it is TODO; raises `UserError`.

    A whole number is written `CSQU 305438 3`; what is no ISO 6346 number is kept as typed.
    """
    fields = {key: entry.get(key, TODO) for key in ("container_number", *PARTS)}
    for key, value in fields.items():
        if not isinstance(value, str):
            raise UserError(f"{key} is {json.dumps(value)}: write it as text, in double quotes")
    number = fields.pop("container_number")
    parts = {key: compact(value) for key, value in fields.items() if not is_todo(value)}
    if is_todo(number):
        if parts and len(parts) < len(PARTS):
            raise UserError(f"{', '.join(parts)} filled, but container_number is {TODO}: fill it")
        number = " ".join(parts.values())
    code = compact(number)
    whole = code + parts.get("check_digit", "")
    if re.fullmatch("[A-Z]{4}[0-9]{7}", whole) and not contradicting(whole, parts):
        code = whole  # the check digit stands in its own field alone
    if wrong := contradicting(code, parts):
        filled = ", ".join(f"{key} {parts[key]}" for key in wrong)
        raise UserError(f"container_number {number} contradicts {filled}")
    if re.fullmatch("[A-Z]{4}[0-9]{7}", code):
        return format_number(code)
    return " ".join(re.split(r"[\s-]+", number.strip().upper())) or None


def contradicting(code: str, parts: dict[str, str]) -> list[str]:
    """Return the names of the filled parts that do not fit the compact number."""
    if len(code) == 11:
        whole = dict(zip(PARTS, split_number(code)))
        return [key for key, value in parts.items() if value != whole[key]]
    joined = "".join(re.escape(parts[key]) if key in parts else ".*" for key in PARTS)
    return [] if re.fullmatch(joined, code) else list(parts)


def iso_problem(number: str) -> str | None:
    """Return why a label is no valid ISO 6346 number, or None."""
    code = compact(number)
    if is_valid(code):
        return None
    try:
        fitting = check_digit(code)
    except ValueError:
        return f"{number} is not ISO 6346 (three letters, U, J or Z, six digits, check digit)"
    if len(code) != 11:
        return f"{number} is not ISO 6346 (it needs one check digit after six digits)"
    return f"{number}: check digit {code[10]} does not fit ({fitting} would); look again"


@dataclass
class Labels:
    """The labelled photos of annotations.json, and what is wrong with it, line by line."""

    examples: list[Example]
    errors: list[str]
    warnings: list[str]
    todo: int = 0


def check_labels(entries: list[dict], folder: Path, strict: bool) -> Labels:
    """Check every entry and its photo; nothing is raised, so that one run shows all problems."""
    labels = Labels([], [], [])
    seen: dict[str, str] = {}
    for entry in entries:
        image, key = entry["image_path"], photo_key(entry["image_path"], folder)
        try:
            number = label_of(entry)
            if number is None:
                labels.todo += 1
                continue
            if key in seen:
                if compact(seen[key]) != compact(number):
                    raise UserError(f"listed twice, as {seen[key]} and as {number}")
                labels.warnings.append(f"{image}: listed twice with one label; used once")
                continue
            seen[key] = number
            path = find_image(image, folder)
            check_image(path)
        except UserError as error:
            labels.errors.append(f"{image}: {error}")
            continue
        if problem := iso_problem(number):
            (labels.errors if strict else labels.warnings).append(f"{image}: {problem}")
        labels.examples.append(Example(path, number))
    return labels


def split_examples(examples: list[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Return (training, validation), about 80/20; photos of one container stay on one side.

    A container's place in the draw depends on its number and the seed alone, so labels added later
    move few photos across. Raises `UserError` with fewer than two containers.
    """
    groups: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda e: str(e.image_path)):
        groups.setdefault(example.box, []).append(example)
    if len(groups) < 2:
        raise UserError(
            f"all {len(examples)} labelled photos show one container: training needs at least two, "
            "one of them for validation"
        )
    order = sorted(groups, key=lambda n: hashlib.sha256(f"{seed} {n}".encode()).digest())
    wanted, chosen, count = len(examples) * VALIDATION_SHARE, [], 0
    for number in order:
        if abs(count + len(groups[number]) - wanted) < abs(count - wanted):
            chosen.append(number)
            count += len(groups[number])
    chosen = chosen or [min(order, key=lambda n: len(groups[n]))]
    validation = [example for number in chosen for example in groups.pop(number)]
    return [example for number in sorted(groups) for example in groups[number]], validation


def write_examples(path: Path, examples: list[Example]) -> None:
    """Write a split in the common Florence-2 format: image, prefix, suffix."""
    rows = [
        {"image": relative_path(e.image_path), "prefix": PROMPT, "suffix": e.number}
        for e in examples
    ]
    write_json(path, rows)


def prepare(args: argparse.Namespace) -> None:
    """Check all labels and write train.json and val.json; any error writes nothing."""
    path = Path(args.annotation_file)
    labels = check_labels(read_annotations(path)["images"], path.parent, args.strict)
    for warning in labels.warnings:
        say(f"warning: {warning}")
    for error in labels.errors:
        say(f"error: {error}")
    if labels.errors:
        raise UserError(f"{len(labels.errors)} problems in {path}; nothing written")
    count = len(labels.examples)
    if not count:
        raise UserError(f'{path}: nothing labelled yet; put numbers in place of "{TODO}"')
    print(f"{path}: {count} labelled, {labels.todo} still {TODO}, {len(labels.warnings)} warnings")
    if count < FEW_IMAGES:
        say(f"warning: {count} labelled images are few; 100-200 are recommended")
    train, validation = split_examples(labels.examples, args.seed)
    for name, examples in (("train.json", train), ("val.json", validation)):
        out = Path(args.output_dir) / name
        write_examples(out, examples)
        boxes = len({example.box for example in examples})
        print(f"{out}: {len(examples)} photos of {boxes} containers")


# ---- the command -----------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--mode", choices=["create_template", "prepare"], default="create_template", help="step")
    add("--image_folder", default="./image", help="photos to label")
    add("--annotation_file", default="annotations.json", help="the file you edit")
    add("--output_dir", default="./dataset", help="where train.json and val.json go")
    add("--strict", action="store_true", help="a label that is not ISO 6346 is an error")
    add("--seed", type=seed, default=0, help="of the 80/20 split")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the mode asked for."""
    args = build_parser().parse_args(argv)
    if args.mode == "create_template":
        create_template(args)
    else:
        prepare(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
