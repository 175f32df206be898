"""What holds for result files of every format: what made them, and whether they are whole."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

MADE_BY = "# batch_process.py"
PARTIAL = ".partial"  # ends the name of a file that is not complete


@dataclass
class Provenance:
    """What a result file says of itself: what made it, and how many results it should hold.

    `rows` are those that were found in it; `count` None: nothing in it counts them.
    """

    made_by: str = ""
    count: int | None = None
    rows: int = 0
    is_counted: bool = True  # by its own last line, so that one without is cut
    is_torn: bool = False  # within its last line

    @property
    def problem(self) -> str:
        """Return why a file is not whole, in words that follow its name; nothing where it is."""
        if self.is_torn:
            return "is not whole: its last line has no end"
        if self.count is None:
            cut = "is not whole: its last line, which counts the images, is missing"
            return cut if self.is_counted else ""
        if self.count != self.rows:
            return f"is not whole: it counts {self.count:,}, and holds {self.rows:,}"
        return ""


def is_mark(data: bytes) -> bool:
    """Tell whether bytes begin as our lines do, or as those that a power cut has cut."""
    head, mark = data.removeprefix(codecs.BOM_UTF8), MADE_BY.encode()
    return head.startswith(mark) or mark.startswith(head)
