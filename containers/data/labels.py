"""The labels of annotations.json: read, checked against the photos, split for training."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.pace import Pace
from containers.basis.talk import counted, log
from containers.data.edited_json import decode_text, parse_json, read_edited
from containers.number.iso6346 import (
    LIKE_A_NUMBER,
    MAY_BE_PAINTED,
    check_digit,
    compact,
    format_number,
    is_valid,
    split_number,
)
from containers.number.size_type import size_type_of
from containers.photo.files import find_image, photo_key, spellings
from containers.photo.twins import Print, print_of, twins
from containers.photo.windows import Window

TODO = "TODO"
PARTS = ("owner_code", "serial_number", "check_digit")
UNREADABLE = "unreadable"  # true: somebody has looked, and cannot read the number either
SIZE_TYPE = "size_type"  # an entry's key for the code beside the number, which may lack
VALIDATION_SHARE = 0.2
LONGEST_LABEL = 40  # characters


@dataclass(frozen=True)
class Example:
    """One labelled photo: where it is and the number as painted.

    `window` is the part of it to learn from; none: all of it, as a first look sees it.
    """

    image_path: Path
    number: str
    window: Window | None = None

    @property
    def container(self) -> str:
        """Return which container it shows: the number but for its check digit."""
        return compact(self.number)[:10]


def read_annotations(path: Path) -> dict:
    """Return annotations.json with its "images", each an object with an "image_path"."""
    return parse_annotations(read_annotation_file(path), path)


def read_annotation_file(path: Path) -> bytes:
    """Return what is in annotations.json; raises `FlagError` if it cannot be read."""
    return read_edited(path, "§annotation_file", "make it with §mode create_template")


def parse_annotations(saved: bytes, path: Path) -> dict:
    """Return what `read_annotations` does, of bytes that were read; raises `UserError`."""
    data = parse_json(decode_text(saved, path), path)
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, list):
        raise UserError(f'{path}: needs {{"images": [...]}} at its top')
    for i, entry in enumerate(images, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("image_path"), str):
            raise UserError(f'{path}: entry {i} of "images" has no "image_path" text')
    return data


def labelled(path: Path, otherwise: str) -> Iterator[tuple[dict, str]]:
    """Yield (entry, number) of what is labelled; a wrong label is said, with what follows of it."""
    for entry in read_annotations(path)["images"]:
        try:
            number = label_of(entry)
        except UserError as error:
            log.warning(f"{entry['image_path']}: {error}; {otherwise}")
            continue
        if number is not None:
            yield entry, number


def empty_entry(image_path: str) -> dict[str, str]:
    """Return the entry of a photo that nobody has labelled yet."""
    return {"image_path": image_path, **dict.fromkeys(("container_number", *PARTS), TODO)}


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
            shown = shorten(json.dumps(value))
            raise UserError(f"{key} is {shown}: write it as text, in double quotes")
    number = fields.pop("container_number")
    parts = {key: compact(value) for key, value in fields.items() if not is_todo(value)}
    if is_todo(number):
        if parts and len(parts) < len(PARTS):
            raise UserError(f"{', '.join(parts)} filled, but container_number is {TODO}: fill it")
        number = " ".join(parts.values())
    painted = " ".join(re.split(r"[\s-]+", number.strip().upper())).strip()
    if not is_todo(number) and (problem := label_problem(painted)):
        remedy = f"write what is painted, or {TODO}"
        raise UserError(f"container_number {shorten(number)} {problem}: {remedy}")
    code = compact(number)
    whole = code + parts.get("check_digit", "")
    if LIKE_A_NUMBER.fullmatch(whole) and not contradicting(whole, parts):
        code = whole  # the check digit stands in its own field alone
    if wrong := contradicting(code, parts):
        filled = ", ".join(f"{key} {shorten(parts[key])}" for key in wrong)
        raise UserError(f"container_number {number} contradicts {filled}")
    if LIKE_A_NUMBER.fullmatch(code):
        return format_number(code)
    return painted or None


def label_problem(label: str) -> str | None:
    """Return why a label cannot be a number, or not be taught, in words that follow it, or None."""
    if not MAY_BE_PAINTED.fullmatch(compact(label)):
        return "cannot be a number (4 letters and 6 or 7 digits)"
    if len(label) > LONGEST_LABEL:
        return f"has {len(label)} characters, more than {LONGEST_LABEL}"
    return None if label.isprintable() else "holds what cannot be printed"


def shorten(text: str) -> str:
    """Return the beginning of a text that may be very long."""
    return text if len(text) <= LONGEST_LABEL else f"{text[:LONGEST_LABEL]}..."


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


def size_type_in(entry: dict) -> str:
    """Return the size-type code of an entry, compact; nothing where it has none."""
    code = entry.get(SIZE_TYPE, "")
    return "" if not isinstance(code, str) or is_todo(code) else compact(code)


def size_type_problem(entry: dict) -> str | None:
    """Return why what stands as size-type code is none of ISO 6346, or None."""
    code = entry.get(SIZE_TYPE, "")
    if isinstance(code, str) and (is_todo(code) or size_type_of(code)):
        return None
    return f"{SIZE_TYPE} {shorten(json.dumps(code))} is no code of ISO 6346 like 45G1; look again"


@dataclass
class Labels:
    """The labelled photos of annotations.json, and what is wrong with it, line by line.

    `together` are the containers, two and two, that share a photo: they stay on one side.
    """

    examples: list[Example]
    errors: list[str]
    warnings: list[str]
    todo: int = 0
    unreadable: int = 0
    together: list[tuple[str, str]] = field(default_factory=list)


def check_labels(entries: list[dict], folder: Path, strict: bool) -> Labels:
    """Check every entry and its photo; nothing is raised, so that one run shows all problems."""
    labels = Labels([], [], [])
    seen: dict[str, tuple[str, str]] = {}
    names, prints = [], []
    for entry in Pace(entries, title="labels", total=len(entries)):
        image, key = entry["image_path"], photo_key(entry["image_path"], folder)
        try:
            number = label_of(entry)
            if number is None:
                unreadable = entry.get(UNREADABLE) is True
                labels.unreadable += unreadable
                labels.todo += not unreadable
                continue
            if key in seen:
                first, other = seen[key]
                twice = "listed twice" if first == image else f"listed twice, also as {first}"
                if first != image and not {first, image} - {*spellings(first)}:
                    twice += " (written another way)"  # which may look the same
                if compact(other) != compact(number):
                    raise UserError(f"{twice}: {other} there, {number} here")
                labels.warnings.append(f"{image}: {twice} with one label; used once")
                continue
            seen[key] = image, number
            path = find_image(image, folder)
            prints.append(print_of(path))
        except UserError as error:
            labels.errors.append(f"{image}: {error}")
            continue
        if problem := iso_problem(number):
            (labels.errors if strict else labels.warnings).append(f"{image}: {problem}")
        if problem := size_type_problem(entry):
            labels.warnings.append(f"{image}: {problem}")
        labels.examples.append(Example(path, number))
        names.append(image)
    compare_twins(labels, names, prints)
    return labels


def compare_twins(labels: Labels, names: list[str], prints: list[Print]) -> None:
    """Add what is wrong with the labels of photos that are the same, by their names."""
    told = set()
    for i, j, is_copy in twins(prints):
        one, other = labels.examples[i], labels.examples[j]
        if one.container == other.container:
            continue
        labels.together.append((one.container, other.container))
        if j in told:  # one line for a photo, however many are like it
            continue
        told.add(j)
        alike = "the same photo as" if is_copy else "nearly the same photo as"
        problem = f"{names[j]}: {alike} {names[i]}: {one.number} there, {other.number} here"
        (labels.errors if is_copy else labels.warnings).append(problem)


def split_examples(
    examples: list[Example], seed: int, together: Sequence[tuple[str, str]] = ()
) -> tuple[list[Example], list[Example]]:
    """Return (training, validation), about 80/20; photos of one container stay on one side.

    So do those of containers that are to stay `together`. A container's place in the draw depends
    on its number and the seed alone, so labels added later move few photos across. Raises
    `UserError` with fewer than two containers.
    """
    first = {example.container: example.container for example in examples}
    for one, other in together:
        a, b = first[one], first[other]
        first = {each: min(a, b) if name in (a, b) else name for each, name in first.items()}
    groups: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda e: str(e.image_path)):
        groups.setdefault(first[example.container], []).append(example)
    if len(groups) < 2:
        raise UserError(
            f"{counted(len(examples), 'labelled photo')} of one container: training needs at least "
            "two, one of them for validation"
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
