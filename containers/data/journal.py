"""The lines of a run while it is under way: kept through kills, and what --resume goes on from."""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from containers.basis.errors import FlagError, UserError
from containers.basis.escapes import escape, unescape
from containers.basis.files import TEXT, free_name, writing
from containers.basis.talk import counted, say
from containers.data.result import Result
from containers.data.result_file import MADE_BY, PARTIAL, Provenance
from containers.data.result_lines import as_json
from containers.data.results import (
    FORMATS,
    read_results,
    require_results,
    stream_results,
    write_results,
)
from containers.photo.files import Stamp, stamp_of

FLAGS = {  # by the first word of what they put into a file's first line
    **{"model": "--model", "adapter": "--lora_path", "no": "--lora_path", "dtype": "--dtype"},
    **{"review": "--review_below", "at": "--looks"},
    **{"owner": "--owner_codes", "any": "--owner_codes"},
}
INSTEAD = {".xls": ".xlsx", ".json": ".jsonl"}  # what is meant by another ending
SYNCED_EVERY = 5.0  # seconds: what a power cut may cost; a sync of a slow disk takes 0.05
STAMP = re.compile(rb"# ([0-9]+) ([0-9]+) (.+)")  # bytes, time of the last change in ns, photo


def difference(before: str, now: str) -> str:
    """Return which flags have changed between two first lines of result files; else the first."""
    lines = (line.removeprefix(f"{MADE_BY}: ").split(", ") for line in (before, now))
    pairs = [pair for pair in zip_longest(*lines, fillvalue="") if len({*pair}) > 1]
    flags = [FLAGS.get(here.split(" ")[0]) for _, here in pairs]
    if not pairs or None in flags:
        return before.removeprefix("# ")
    return "; ".join(f"{flag}: {was}, now {here}" for flag, (was, here) in zip(flags, pairs))


def read_stamps(path: Path, end: int | None) -> dict[str, Stamp]:
    """Return what the photos of a run were when it read them, where its lines say that."""
    found = map(STAMP.fullmatch, path.read_bytes()[:end].split(b"\n"))
    return {unescape(line[3].decode()): (int(line[1]), int(line[2])) for line in found if line}


def unchanged(results: list[Result], stamps: dict[str, Stamp], path: Path) -> list[Result]:
    """Return the results of photos that are as when they were read, or gone; say the others.

    What a photo's file was stands beside its line in a run; a complete file tells by its own time.
    """
    written = stamp_of(path)
    kept: list[Result] = []
    changed: list[Result] = []
    for result in results:
        now, was = stamp_of(result.image), stamps.get(result.image)
        is_same = now is None or (now == was if was else written and now[1] <= written[1])
        (kept if is_same else changed).append(result)
    if changed:
        photos, first = counted(len(changed), "photo"), changed[0].image
        say(f"resume: {photos} changed since ({first}): read again")
    return kept


class Journal:
    """The lines of a run that is not complete, in the order in which they were read."""

    def __init__(self, output: Path):
        self.output, self.path = output, output.with_name(output.name + PARTIAL)

    def check(self) -> None:
        """Raise `FlagError` where the results cannot be written, or would replace another file."""
        suffix = self.output.suffix.lower()
        if suffix not in FORMATS:
            other = INSTEAD.get(suffix, ".txt")
            known = ", ".join(filter(None, FORMATS))
            raise FlagError(
                f"--output {self.output}: the ending is none of {known}: type --output "
                f"{self.output.with_suffix(other)}"
            )
        for path in (self.path, self.output):
            require_results("--output", path)
        with writing(self.output):
            with open(self.path, "ab") as file:
                empty = file.tell() == 0
            if empty:
                self.path.unlink()

    def require_unchecked(self) -> None:
        """Raise `UserError` where people's answers stand in the file that a run would replace."""
        answers = 0
        with contextlib.suppress(UserError):  # what is cut or from elsewhere cannot be reviewed
            if self.output.exists():
                found = stream_results(self.output, Provenance())
                answers = sum(result.is_checked for _, result in found)
        if answers:
            raise UserError(
                f"{self.output} holds {counted(answers, 'answer')} of people, which would be lost: "
                f"add --resume, or begin another file with --output {free_name(self.output)}"
            )

    def earlier(self, description: str) -> dict[str, Result]:
        """Return what `--resume` need not read again, by image, and drop a torn last line.

        That is what a complete file could read, and all of a stopped run. Raises `UserError` where
        another model made them, and then leaves all as it is.
        """
        found: dict[str, Result] = {}
        stamps = read_stamps(self.path, self.whole()) if self.path.exists() else {}
        for path, end in ((self.path, self.whole()), (self.output, None)):
            made_by, results = read_results(path, end) if path.exists() else ("", [])
            if results and made_by != description:
                if found:
                    break  # the complete file is an older run's, which this one was to replace
                changed = difference(made_by, description)
                raise UserError(
                    f"{path} was made by another run ({changed}): give the same flags, or begin "
                    f"another file with --output {free_name(self.output)}"
                )
            done = [r for r in results if path == self.path or r.reading.status != "error"]
            found = {result.image: result for result in unchanged(done, stamps, path)} | found
        if self.path.exists():
            os.truncate(self.path, self.whole())
        say(f"resume: {counted(len(found), 'photo')} read before")
        return found

    def whole(self) -> int:
        """Return how many bytes of the lines are whole: a kill or a power cut tears the last ones.

        Where the power went away the system may have left zeros.
        """
        data = self.path.read_bytes() if self.path.exists() else b""
        zeros = data.find(b"\0")
        return data.rfind(b"\n", 0, zeros if zeros >= 0 else len(data)) + 1

    def written(self) -> dict[str, Result]:
        """Return the results of the run that are on the disk, by image."""
        results = read_results(self.path)[1] if self.path.exists() else []
        return {result.image: result for result in results}

    def write(
        self,
        description: str,
        results: Iterator[Result],
        resume: bool,
        stamp: Callable[[str], Stamp | None] = stamp_of,
    ) -> Iterator[Result]:
        """Yield the results, each one when it is in the file; the first opens it.

        `stamp` tells what a photo's file was when it was read: cameras use names again. A kill
        loses none of them. A power cut may lose what was written since the last sync: the first
        line is synced, and then one after so many seconds.
        """
        mode, synced = "a" if resume else "w", -math.inf
        for result in results:
            with writing(self.path, UserError), open(self.path, mode, **TEXT) as file:
                if file.tell() == 0:
                    file.write(f"{description}\n")
                if was := stamp(result.image):
                    file.write(f"# {was[0]} {was[1]} {escape(result.image)}\n")
                file.write(f"{as_json(result)}\n")
                if time.monotonic() >= synced + SYNCED_EVERY:
                    file.flush()
                    os.fsync(file.fileno())
                    synced = time.monotonic()
            mode = "a"
            yield result

    def finish(self, description: str, results: list[Result], columns: Sequence[str]) -> str:
        """Write the result file, and drop the lines of the run; return the count."""
        summary = write_results(self.output, description, results, "image", columns)
        self.path.unlink(missing_ok=True)
        return summary
