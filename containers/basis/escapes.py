"""Text from outside, made safe to show: what steers a terminal or breaks a line is spelled out."""

from __future__ import annotations

import json
import re

# Controls, line and paragraph separators, marks that turn the direction, halves of characters
# (a file name that is no UTF-8 holds them).
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
ESCAPED = re.compile(r"\\(?:[\\tnr]|x[0-9a-f]{2}|u[0-9a-f]{4})")


def visible(text: str) -> str:
    r"""Return a text on one line that steers no terminal: `\n`, `\x1b`, `\u202e`, `\udcff`."""
    return UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def escape(text: str) -> str:
    r"""Return a `visible` text from which `unescape` gets back the same: a backslash is `\\`."""
    return visible(text.replace("\\", "\\\\"))


def unescape(text: str) -> str:
    """Return what `escape` was given; what it does not write stays as it is."""
    return ESCAPED.sub(lambda found: found[0].encode().decode("unicode_escape"), text)


def json_line(value: object) -> str:
    """Return JSON on one line that steers no terminal and can be written as UTF-8."""
    text = json.dumps(value, ensure_ascii=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
