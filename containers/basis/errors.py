"""Say what the user can mend: typed errors, one sentence each.

In messages § stands before the name of an option: who called from Python reads `device`, who typed
a command `--device`.
"""

from __future__ import annotations

import re

OPTION = re.compile(r"(?<![^\s(])§(?=[a-z])")


def as_called(message: str) -> str:
    """Return a message with its options named as in Python."""
    return OPTION.sub("", message)


def as_typed(message: str) -> str:
    """Return a message with its options named as on the command line."""
    return OPTION.sub("--", message)


class UserError(Exception):
    """Say in one sentence what the user can mend: bad data."""

    def __str__(self) -> str:
        """Return the sentence, its options named as in Python."""
        return as_called(super().__str__())

    @property
    def typed(self) -> str:
        """Return the sentence, its options named as on the command line."""
        return as_typed(super().__str__())


class FlagError(UserError):
    """Say which option has a value that cannot work."""


class ImageError(UserError):
    """Say why one image cannot be read."""


class ModelError(UserError):
    """Say why a checkpoint or an adapter cannot be used."""


def one_line(text: object) -> str:
    """Return a text without line ends and tabs, its runs of white space made one."""
    return " ".join(str(text).split())
