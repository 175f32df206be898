"""Read JSON that people edit by hand: say where a mistake is, in words that help."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

from containers.basis.errors import FlagError, UserError
from containers.basis.files import read_file

JSON_PROBLEMS = {  # where the json module's words would puzzle a dock worker
    "Expecting ',' delimiter": "a comma is missing before this place",
    "Invalid control character at": "a closing double quote is missing",
    "Expecting property name enclosed in double quotes": "a name in double quotes should be here",
    "Expecting value": "a text in double quotes should be here",
    "Extra data": "nothing more should be here",
    "Invalid \\escape": "write / between folders, not a backslash",
}


def decode_text(data: bytes, path: Path) -> str:
    """Return the text of a hand-edited file, with or without a byte-order mark."""
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not UTF-8 text; save the file as UTF-8") from None


def parse_json(text: str, path: Path) -> Any:
    """Return the value of JSON that may have trailing commas; a mistake says where it is."""
    # A string that does not end is passed over whole: tried from each quote in it, it takes hours.
    strings_or_commas = r'"(?:[^"\\\n]|\\.)*+"?|,(?=\s*[}\]])'
    clean = re.sub(strings_or_commas, lambda m: " " if m[0] == "," else m[0], text)
    try:
        return json.loads(
            clean, object_pairs_hook=unique_keys, parse_float=finite, parse_constant=finite
        )
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, {explain(error, text)}") from None
    except RecursionError:
        raise UserError(f"{path}: brackets nested too deeply") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def finite(text: str) -> float:
    """Return a number of JSON; raises ValueError for one that would come back as Infinity, or is.

    Python's json module would write what no other program reads.
    """
    if not math.isfinite(float(text)):
        raise ValueError(f"{text[:40]} is too large or no number: write it in double quotes")
    return float(text)


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
    if len(dict(pairs)) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key in counts if counts[key] > 1)
        image = dict(pairs).get("image_path", "an entry")
        raise ValueError(f"{image}: {twice!r} stands twice; keep one")
    return dict(pairs)


def read_json_file(path: Path, flag: str, remedy: str) -> Any:
    """Return the value in a JSON file that people may have edited; raises `UserError`."""
    return parse_json(decode_text(read_edited(path, flag, remedy), path), path)


def read_edited(path: Path, flag: str, remedy: str) -> bytes:
    """Return what is in a file that a flag names; raises `FlagError` with the remedy."""
    try:
        return read_file(path)
    except FileNotFoundError:
        raise FlagError(f"{flag} {path}: no such file; {remedy}") from None
    except OSError as error:
        raise FlagError(f"{flag} {path}: {error.strerror}") from None
