"""Write the tables of docs/flags.md and docs/flags.ko.md again, from the parsers of the scripts.

    python -m measure.flag_tables

Rows stand in the order of --help, and defaults are the parser's. What a flag means is said in the
page's own words, and so is a default that the parser leaves open, as long as --help agrees. A flag
that has no row yet gets one in the words of --help, for somebody to put into those of the page; a
row whose flag is gone goes. Flags that share a row go on sharing it. A test runs this over the
pages: it fails where a flag has changed and they have not.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import re
from collections.abc import Mapping, Sequence

import batch_process
import container_ocr
import finetune_florence
import prepare_dataset
from commands.command_line import ArgumentParser, command
from containers.basis.errors import UserError
from containers.basis.files import read_file, replacing
from containers.basis.talk import show

Words = Mapping[bool | None, str]
DOCS = Path(__file__).parents[1] / "docs"
PAGES: dict[Path, Words] = {  # with the words for what a parser holds as True, False and None
    DOCS / "flags.md": {True: "on", False: "off", None: "none"},
    DOCS / "flags.ko.md": {True: "켜짐", False: "꺼짐", None: "없음"},
}
BUILDERS = {
    "prepare_dataset": prepare_dataset.build_parser,
    "finetune_florence": finetune_florence.build_parser,
    "batch_process": batch_process.build_parser,
    "container_ocr": container_ocr.build_parser,
}
BORDER = re.compile(r" *(?<!\\)\| *")  # between cells; \| is part of one
CODE = re.compile("`([^`]+)`")
VALUE = re.compile(r"`[^`]+`|\d+(?:\.\d+)?")  # what a cell holds that is no word of a language
DEFAULT = re.compile(r" \(default: ([^)]*)\)")  # in a text of --help


def names_of(action: argparse.Action) -> list[str]:
    """Return how an argument is typed: its flags, or what stands for it in --help."""
    return [*action.option_strings] or [str(action.metavar or action.dest)]


def said_of(action: argparse.Action) -> tuple[str, str]:
    """Return what --help says of an argument, and what of its default."""
    text = (action.help or "") % vars(action)
    return DEFAULT.sub("", text), ", ".join(DEFAULT.findall(text))


def shown(value: object, words: Words) -> str:
    """Return a default as a page shows it; of two ways to write a fraction, the shorter."""
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, float):
        mantissa, exponent = f"{value:e}".split("e")
        return min(f"{value:g}", f"{float(mantissa):g}e{int(exponent)}", key=len)
    return str(value) if isinstance(value, int) else f"`{value}`"


def default_of(actions: Sequence[argparse.Action], cell: str, words: Words) -> str:
    """Return the default of a row's arguments: one for all of them, or one each.

    The cell stays where the parser has none, unless it holds a value of which --help says nothing.
    """
    said = [said_of(action)[1] for action in actions]
    is_open = all(action.default is None for action in actions)
    if cell and is_open and all(v.strip("`") in " ".join(said) for v in VALUE.findall(cell)):
        return cell
    values = [
        default if action.default is None and default else shown(action.default, words)
        for action, default in zip(actions, said)
    ]
    return values[0] if len({*values}) == 1 else ", ".join(values)


def meaning_of(action: argparse.Action) -> str:
    """Return what a new row says: the words of --help, and the choices where it lists them."""
    choices = "" if action.metavar else ", ".join(f"`{choice}`" for choice in action.choices or ())
    return ": ".join(filter(None, (said_of(action)[0], choices))).replace("|", r"\|")


def rows_of(parser: argparse.ArgumentParser, lines: Sequence[str], words: Words) -> list[str]:
    """Return the rows of a script's table, of which `lines` are the old ones."""
    hidden = argparse.SUPPRESS  # and --help, which is every script's
    arguments = [a for a in parser._actions if hidden not in (a.default, a.help)]
    left, rows = arguments, []
    for line in lines:
        names, default, meaning = BORDER.split(line.strip())[1:-1]
        actions = [a for a in left if {*names_of(a)} & {*CODE.findall(names)}]
        left = [a for a in left if a not in actions]
        if actions:
            rows.append((actions, default, meaning))
    rows += [([action], "", meaning_of(action)) for action in left]
    return [
        f"| {', '.join(f'`{name}`' for action in actions for name in names_of(action))} "
        f"| {default_of(actions, default, words)} | {meaning} |\n"
        for actions, default, meaning in sorted(rows, key=lambda row: arguments.index(row[0][0]))
    ]


def rewritten(text: str, parsers: Mapping[str, argparse.ArgumentParser], words: Words) -> str:
    """Return a page with the tables of these scripts made again; `UserError` where one is none."""
    for name, parser in parsers.items():
        table = rf"(?m)(^`{name}\.py`\n\n\|.*\n\|[-|]+\n)((?:\|.*\n)*)"
        found = re.search(table, text)
        if not found:
            raise UserError(f"the page has no table below a line `{name}.py`: begin one")
        rows = rows_of(parser, found[2].splitlines(), words)
        text = f"{text[: found.end(1)]}{''.join(rows)}{text[found.end() :]}"
    return text


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script, which takes no flag."""
    return ArgumentParser(__doc__)


@command(build_parser)
def main(_: argparse.Namespace) -> int:
    """Write both pages, and say whether they have changed."""
    parsers = {name: build() for name, build in BUILDERS.items()}
    for page, words in PAGES.items():
        old = read_file(page)
        new = rewritten(old.decode("utf-8"), parsers, words)
        if new.encode("utf-8") != old:
            with replacing(page, old) as file:
                file.write(new)
        show(f"{page.name}: {'as it was' if new.encode('utf-8') == old else 'written again'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
