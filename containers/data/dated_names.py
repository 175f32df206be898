"""Names of files that hold the date, as strftime writes it: another file each day."""

from __future__ import annotations

import glob
import re
from datetime import datetime, timedelta
from pathlib import Path

DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "H": 2, "G": 4, "V": 2}  # alike on every system
DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
EXAMPLE = "%Y-%m-%d"
FIRST, DAYS = datetime(2024, 1, 1), 400  # in more than a year each name without one comes again


def date_problem(text: str) -> str | None:
    """Return why a name cannot be filled in with a date, or None."""
    for letter in DIRECTIVE.findall(text):
        if letter not in (*DIGITS, "%"):
            known = " ".join(f"%{letter}" for letter in DIGITS)
            return f"%{letter} is none of {known}; for a percent sign type %%"
    if again := recurrence(text):
        days = " and ".join(f"{day:%Y-%m-%d}" for day in again)
        return f"{days} would share a file: name the whole date, as by {EXAMPLE}"
    return None


def recurrence(text: str) -> tuple[datetime, datetime] | None:
    """Return two times of one name between which there are others, if any."""
    name, is_hourly = DatedName(text), "H" in DIRECTIVE.findall(text)
    step = timedelta(hours=1) if is_hourly else timedelta(days=1)
    first: dict[str, datetime] = {}
    time, last = FIRST, ""
    while time < FIRST + timedelta(days=DAYS):
        filled = name.fill(time)
        if filled != last and filled in first:
            return first[filled], time
        first.setdefault(filled, time)
        time, last = time + step, filled
    return None


class DatedName:
    """A file's name in which directives of strftime may stand; without any it is one file."""

    def __init__(self, text: str):
        self.text = text

    def fill(self, time: datetime) -> str:
        """Return the name at a time; the text around is none of strftime's business."""
        return DIRECTIVE.sub(lambda x: "%" if x[1] == "%" else time.strftime(x[0]), self.text)

    def at(self, time: datetime) -> Path:
        """Return the file at a time."""
        return Path(self.fill(time))

    def files(self, ending: str = "") -> list[Path]:
        """Return the files there are of any time, with an ending behind their names."""
        words = DIRECTIVE.split(self.text)
        words[::2] = map(glob.escape, words[::2])
        words[1::2] = ("[0-9]" * DIGITS[x] if x in DIGITS else "%" for x in words[1::2])
        return sorted(map(Path, glob.glob("".join(words) + ending)))
