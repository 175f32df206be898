"""What is doubtful about labels: photos that are gone, owners that occur once, other readings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from containers.basis.errors import ImageError, UserError
from containers.basis.talk import counted, log
from containers.data.backups import save_annotations
from containers.data.labels import (
    TODO,
    Example,
    Labels,
    check_labels,
    label_of,
    parse_annotations,
    read_annotation_file,
)
from containers.data.suggestions import suggestion_in
from containers.number.iso6346 import compact
from containers.number.owners import known_owner_codes
from containers.photo.files import find_image


def is_on_disk(image_path: str, folder: Path) -> bool:
    """Tell whether an annotated image can be found."""
    try:
        return bool(find_image(image_path, folder))
    except ImageError:
        return False


def painted_on(entry: dict) -> str | None:
    """Return an entry's label; None where it has none, or a wrong one, which others report."""
    try:
        return label_of(entry)
    except UserError:
        return None


def split_by_photo(entries: Sequence[dict], folder: Path) -> tuple[list[dict], list[dict]]:
    """Return the entries whose photo is there, and those whose photo is gone.

    Raises `UserError` where all are gone: it is the folder that is wrong.
    """
    here: list[dict] = []
    gone: list[dict] = []
    for entry in entries:
        (here if is_on_disk(entry["image_path"], folder) else gone).append(entry)
    if gone and not here:
        raise UserError(
            f"of {counted(len(gone), 'photo')} none is here: run this in the folder from which "
            f"their paths begin, as {gone[0]['image_path']}"
        )
    return here, gone


@dataclass
class Findings:
    """What is wrong and what is doubtful about labels, line by line, and what was dropped."""

    labels: Labels
    errors: list[str]
    doubts: list[str]
    dropped: list[str]

    def lines(self) -> Iterator[str]:
        """Yield all that is found, each with what it is."""
        for line in self.dropped:
            yield f"dropped: {line}"
        for line in self.errors:
            yield f"error: {line}"
        for line in self.doubts:
            yield f"warning: {line}"


def examine(
    entries: Sequence[dict], gone: Sequence[dict], path: Path, strict: bool, is_pruned: bool
) -> Findings:
    """Return what is found without a model; `gone` are the entries whose photos are."""
    labels = check_labels(list(entries), path.parent, strict)
    doubts = [*labels.warnings, *lone_owners(labels.examples)]
    lost = {f"{e['image_path']}: gone; its label is {painted_on(e) or TODO}": e for e in gone}
    if is_pruned:
        return Findings(labels, labels.errors, doubts, list(lost))
    labelled = [f"{line} (§prune drops it)" for line, e in lost.items() if painted_on(e)]
    return Findings(labels, labels.errors + labelled, doubts, [])


def prune(path: Path) -> None:
    """Drop the entries of annotations.json whose photos are gone; raises `ChangedError`."""
    before = read_annotation_file(path)
    data = parse_annotations(before, path)
    here, gone = split_by_photo(data["images"], path.parent)
    if gone:
        save_annotations(path, data | {"images": here}, before)


def lone_owners(examples: Sequence[Example]) -> Iterator[str]:
    """Yield a line for each owner code that one photo alone shows and that is not a common one.

    Then one for all the common ones that do: of these a few are to be expected.
    """
    counts, known = Counter(example.container[:4] for example in examples), known_owner_codes()
    lone = [example for example in examples if counts[example.container[:4]] == 1]
    for example in lone:
        if example.container[:4] not in known:
            yield f"{example.image_path}: no other label has the owner of {example.number}"
    if common := sorted(
        example.container[:4] for example in lone if example.container[:4] in known
    ):
        yield f"common owner codes that occur once: {' '.join(common)}"


def contradiction(image: str, label: str, number: str, by: str) -> Iterator[str]:
    """Yield a line if a label is not what was surely read.

    A label without its check digit is what was read if the rest is.
    """
    if not compact(number).startswith(compact(label)):
        yield f"{image}: {by} is sure of {number}, the label is {label}"


def contradicted(entries: Sequence[dict]) -> list[str]:
    """Return the lines for the labels that contradict an `ok` suggestion beside them; say so."""
    count = 0
    lines: list[str] = []
    for entry in entries:
        label, seen = painted_on(entry), suggestion_in(entry)
        if label and seen:
            count += 1
            if seen["status"] == "ok":
                by = str(seen["made_by"])
                lines += contradiction(entry["image_path"], label, seen["number"], by)
    compared = f"compared with the suggestion beside it: {counted(count, 'label')}"
    log.info(f"{compared}; §model or §lora_path names a model that reads all of them now")
    return lines
