"""The lines of a run while it is under way: kept through kills, and what --resume goes on from."""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile, zip_longest
from pathlib import Path

from containers.basis.errors import FlagError, UserError
from containers.basis.escapes import escape, unescape
from containers.basis.files import TEXT, free_name, writing
from containers.basis.talk import counted, log
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
    **{
        "model": "§model",
        "adapter": "§lora_path",
        "no": "§lora_path",
        "dtype": "§dtype",
    },
    **{"review": "§review_below", "at": "§looks"},
    **{"owner": "§owner_codes", "any": "§owner_codes"},
}
INSTEAD = {".xls": ".xlsx", ".json": ".jsonl"}  # what is meant by another ending
SYNCED_EVERY = 5.0  # seconds: what a power cut may cost; a sync of a slow disk takes 0.05
AT_ONCE = 2**20  # bytes of a run that are in memory, of as many as a year has made
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
    with open(path, "rb") as file:
        lines = takewhile(lambda _: end is None or file.tell() <= end, iter(file.readline, b""))
        found = (STAMP.fullmatch(line.rstrip(b"\n")) for line in lines if line.startswith(b"#"))
        return {unescape(line[3].decode()): (int(line[1]), int(line[2])) for line in found if line}


def stamp_line(image: str, stamp: Stamp) -> str:
    """Return the line that says what a photo's file was when it was read."""
    return f"# {stamp[0]} {stamp[1]} {escape(image)}"


def is_unchanged(now: Stamp | None, was: Stamp | None, written: Stamp | None) -> bool:
    """Tell whether a photo is as when it was read, or gone.

    What it was stands beside its line in a run; a complete file, `written`, tells by its own time.
    """
    if now is None or was:
        return now in (None, was)
    return written is not None and now[1] <= written[1]


def unchanged(results: list[Result], stamps: dict[str, Stamp], path: Path) -> list[Result]:
    """Return the results of photos that are as when they were read, or gone; say the others."""
    written = stamp_of(path)
    kept: list[Result] = []
    changed: list[Result] = []
    for result in results:
        is_same = is_unchanged(stamp_of(result.image), stamps.get(result.image), written)
        (kept if is_same else changed).append(result)
    if changed:
        photos, first = counted(len(changed), "photo"), changed[0].image
        log.info(f"resume: {photos} changed since ({first}): read again")
    return kept


class Journal:
    """The lines of a run that is not complete, in the order in which they were read."""

    def __init__(self, output: Path):
        self.output, self.path = output, output.with_name(output.name + PARTIAL)
        self.mode, self.synced = "w", -math.inf
        self.listed: dict[str, Stamp] = {}  # photos of which the complete file's time alone tells

    def check(self) -> None:
        """Raise `FlagError` where the results cannot be written, or would replace another file."""
        suffix = self.output.suffix.lower()
        if suffix not in FORMATS:
            other = INSTEAD.get(suffix, ".txt")
            known = ", ".join(filter(None, FORMATS))
            raise FlagError(
                f"§output {self.output}: the ending is none of {known}: type §output "
                f"{self.output.with_suffix(other)}"
            )
        for path in (self.path, self.output):
            require_results("§output", path)
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
                f"add §resume, or begin another file with §output {free_name(self.output)}"
            )

    def earlier(self, description: str) -> dict[str, Result]:
        """Return what `--resume` need not read again, by image, and drop a torn last line.

        That is what a complete file could read, and all of a stopped run. Raises `UserError` where
        another model made them, and then leaves all as it is.
        """
        found: dict[str, Result] = {}
        seen: set[str] = set()
        stamps = self.stamps()
        for path, end in self.parts():
            made_by, results = read_results(path, end)
            if results and made_by != description:
                if found:
                    break  # the complete file is an older run's, which this one was to replace
                changed = difference(made_by, description)
                raise UserError(
                    f"{path} was made by another run ({changed}): give the same flags, or begin "
                    f"another file with §output {free_name(self.output)}"
                )
            done = [r for r in results if path == self.path or r.reading.status != "error"]
            new = [result for result in done if result.image not in seen]
            found |= {result.image: result for result in unchanged(new, stamps, path)}
            seen |= {result.image for result in new}
        stamped = {image: stamp_of(image) for image in found.keys() - stamps.keys()}
        self.listed = {image: stamp for image, stamp in stamped.items() if stamp}
        self.mode = "a"
        if self.path.exists():
            os.truncate(self.path, self.whole())
        log.info(f"resume: {counted(len(found), 'photo')} read before")
        return found

    def parts(self) -> list[tuple[Path, int | None]]:
        """Return the files there are, and how many bytes of each are whole, None: all."""
        parts = (self.path, self.whole()), (self.output, None)
        return [(path, end) for path, end in parts if path.exists()]

    def stamps(self) -> dict[str, Stamp]:
        """Return what the photos of the lines were when they were read."""
        return read_stamps(self.path, self.whole()) if self.path.exists() else {}

    def done(self, photos: dict[str, Stamp]) -> dict[str, bool]:
        """Return which of these photos, as they are now, it holds, and whether it could read them.

        Raises `UserError`.
        """
        stamps, found = self.stamps(), {}
        for path, end in self.parts():
            written = stamp_of(path)
            for _, result in stream_results(path, Provenance(), end):
                now, was = photos.get(result.image), stamps.get(result.image)
                if now and is_unchanged(now, was, written):
                    found[result.image] = result.reading.status != "error"
        return found

    def whole(self) -> int:
        """Return how many bytes of the lines are whole: a kill or a power cut tears the last ones.

        Where the power went away the system may have left zeros.
        """
        if not self.path.exists():
            return 0
        end = offset = 0
        with open(self.path, "rb") as file:
            while data := file.read(AT_ONCE):
                lines, zeros, _ = data.partition(b"\0")
                end = max(end, offset + lines.rfind(b"\n") + 1) if b"\n" in lines else end
                if zeros:
                    break
                offset += len(data)
        return end

    def merged(self) -> tuple[str, dict[str, Result]]:
        """Return what made the lines, and by image the results of the file with those of the lines.

        Raises `UserError` where one of them cannot be read.
        """
        made_by, results = read_results(self.path, self.whole())
        older = read_results(self.output) if self.output.exists() else ("", [])
        listed = older[1] if older[0] == made_by else []
        return made_by, {result.image: result for result in [*listed, *results]}

    def written(self) -> dict[str, Result]:
        """Return the results of the run that are on the disk, by image."""
        results = read_results(self.path)[1] if self.path.exists() else []
        return {result.image: result for result in results}

    def write(
        self,
        description: str,
        results: Iterable[Result],
        stamp: Callable[[str], Stamp | None] = stamp_of,
    ) -> Iterator[Result]:
        """Yield the results, each one when it is in the file.

        `stamp` tells what a photo's file was when it was read: cameras use names again.
        """
        for result in results:
            self.append(description, result, stamp(result.image))
            yield result

    def append(self, description: str, result: Result, stamp: Stamp | None) -> None:
        """Write a result; the first opens the file, anew unless `earlier` was asked for.

        A kill loses none of them. A power cut may lose what was written since the last sync: the
        first line is synced, and then one after so many seconds.
        """
        stamped = [stamp_line(result.image, stamp)] if stamp else []
        self.add_lines(description, [*stamped, as_json(result)])

    def add_lines(self, description: str, lines: list[str]) -> None:
        """Write lines at the end, below what made them; raises `UserError`."""
        with writing(self.path, UserError), open(self.path, self.mode, **TEXT) as file:
            if file.tell() == 0:
                file.write(f"{description}\n")
            file.writelines(f"{line}\n" for line in lines)
            if time.monotonic() >= self.synced + SYNCED_EVERY:
                file.flush()
                os.fsync(file.fileno())
                self.synced = time.monotonic()
        self.mode = "a"

    def keep(self, description: str, results: list[Result], columns: Sequence[str]) -> None:
        """Write the result file while the run goes on; the lines stay what --resume goes by.

        The time of an older run's file, which told what has changed since, is lost by that: what
        its photos are stands in the lines first.
        """
        if self.listed:
            self.add_lines(description, [stamp_line(*listed) for listed in self.listed.items()])
            self.listed = {}
        write_results(self.output, description, results, "image", columns)

    def finish(self, description: str, results: list[Result], columns: Sequence[str]) -> str:
        """Write the result file, and drop the lines of the run; return the count."""
        summary = write_results(self.output, description, results, "image", columns)
        with writing(self.path, UserError):  # on Windows somebody may read it just then
            self.path.unlink(missing_ok=True)
        return summary
