"""The flags that several commands share, and the values that they take."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import shlex

from commands.command_line import SHOWN_CHARACTERS, path_problem
from containers.basis.errors import FlagError
from containers.basis.talk import log
from containers.data.dated_names import date_problem
from containers.data.result_tables import COLUMNS
from containers.number.review import REVIEW_BELOW
from florence.names import DEFAULT_MODEL, DEVICES, DTYPES, NO_FINDER, SMALL


def add_model_flags(parser: argparse.ArgumentParser, lora: bool = True) -> None:
    """Add the flags that choose what reads, where and how precisely: the same in every script."""
    add, own = parser.add_argument, ""
    if lora:
        add("--lora_path", metavar="DIR", help="adapter made by finetune_florence.py")
        own = "the adapter's, else "
    what = f"hub id or folder of a Florence-2, or {SMALL}: the one that ships"
    add("--model", metavar="ID_OR_DIR", help=f"{what} (default: {own}{DEFAULT_MODEL})")
    finds = f"folder of the model that finds the number for the other to read; {SMALL}; or none"
    add(
        "--finder",
        type=finder,
        metavar="DIR",
        help=f"{finds} (default: {SMALL}, for larger models)",
    )
    at = f"commit or branch of a hub id (default: {own}the pinned one, else main)"
    add("--revision", type=revision, metavar="COMMIT", help=at)
    add("--device", default="auto", choices=DEVICES, help="auto takes the first that is there")
    add("--dtype", default="auto", choices=["auto", *DTYPES], help="auto goes by the device")


def add_reading_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say when a reading is doubtful, and what is done then."""
    add = parser.add_argument
    unsure = "a number with less confidence is for review"
    add("--review_below", type=share, default=REVIEW_BELOW, help=unsure)
    nearer = "looks at a photo, nearer each time until one is sure (default: by model and device)"
    add("--looks", type=positive, metavar="N", help=nearer)
    old = argparse.SUPPRESS  # not shown
    add("--no-second_look", action=OneLook, nargs=0, dest="looks", default=old, help=old)
    known = "owner codes that are known beside the common ones; others: review; none: any will do"
    add("--owner_codes", metavar="FILE", help=known)
    add("--only_owner_codes", action="store_true", help="none but those of --owner_codes are known")


def with_model(command: str, args: argparse.Namespace) -> str:
    """Return a command to type, with the model and adapter that were asked for."""
    chosen = {"--model": args.model, "--lora_path": args.lora_path}
    words = [f"{flag} {shlex.quote(value)}" for flag, value in chosen.items() if value]
    return " ".join([f"python {command}", *words])


def require_photos(args: argparse.Namespace) -> None:
    """Raise `FlagError` for a folder among single photos, and where none is named but must be."""
    if bool(args.images) == args.check_model:
        both = "--check_model reads the samples: leave the photos out"
        raise FlagError(both if args.images else "name the photos to read, or --check_model")
    for image in args.images:
        if os.path.isdir(image):
            typed = with_model(f"batch_process.py {shlex.quote(image)}", args)
            raise FlagError(f"{image} is a folder: type {typed}")


class OneLook(argparse.Action):
    """Take the flag's old name, and say the new one."""

    def __call__(self, parser: object, args: argparse.Namespace, *_: object) -> None:
        """Ask for one look."""
        log.warning("--no-second_look is now --looks 1")
        args.looks = 1


def share(text: str) -> float:
    """Parse a flag's value from 0 to 1."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")


def fraction(text: str) -> float:
    """Parse a flag's value that must be at least 0 and below 1."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text} is not at least 0 and below 1")


def rate(text: str) -> float:
    """Parse a flag's value that must be a number above zero."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
        if float(text) == math.inf:
            raise argparse.ArgumentTypeError(f"{text} is too large: a number like 1e-4")
    raise argparse.ArgumentTypeError(f"{text} is not above zero: a number like 1e-4")


def positive(text: str) -> int:
    """Parse a flag's value that must be a whole number above zero."""
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def port(text: str) -> int:
    """Parse a flag's value that must be a port, or 0 for any."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: a whole number up to 65535")
    return int(text)


def seed(text: str) -> int:
    """Parse a flag's value that can seed every random generator: 0 to 2^32 - 1."""
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def revision(text: str) -> str:
    """Parse a flag's value that must be a name of git's, for it becomes part of a path."""
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no commit, tag or branch")
    return text


def finder(text: str) -> str:
    """Parse a flag's value that must be a folder, or stand for one or for none."""
    if text in (SMALL, NO_FINDER) or os.path.isdir(text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is neither a folder nor {SMALL} nor {NO_FINDER}")


def regex(text: str) -> str:
    """Parse a flag's value that must be a regular expression."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:  # too large a count, many brackets
        reason = "too deep" if isinstance(error, RecursionError) else error
        shown = f"{text[:SHOWN_CHARACTERS]!r}{'...' * (len(text) > SHOWN_CHARACTERS)}"
        raise argparse.ArgumentTypeError(f"{shown} is no regular expression: {reason}") from None
    return text


def columns(text: str) -> tuple[str, ...]:
    """Parse a flag's value that must be names of a list's columns, by commas."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            reason = "stands there twice" if name in COLUMNS else f"is none of {', '.join(COLUMNS)}"
            raise argparse.ArgumentTypeError(f"{name!r} {reason}")
    return names


def dated_name(text: str) -> str:
    """Parse a flag's value that must name a file, in which the date may stand as by strftime."""
    if problem := date_problem(file_name(text)):
        raise argparse.ArgumentTypeError(f"{text}: {problem}")
    return text


def file_name(text: str) -> str:
    """Parse a flag's value that must name a file to write, not a folder."""
    if problem := path_problem(text):
        raise argparse.ArgumentTypeError(f"{text[:SHOWN_CHARACTERS]}: {problem}")
    if text and (text.endswith(("/", os.sep)) or os.path.basename(text) in ("", ".", "..")):
        raise argparse.ArgumentTypeError(f"{text} is a folder: name a file in it")
    return text
