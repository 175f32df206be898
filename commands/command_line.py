"""How a command talks: flags, one `error:` line, the contract's exit codes, progress on stderr."""

from __future__ import annotations

import argparse
import errno
import functools
import os
import shlex
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from containers.basis.errors import FlagError, UserError
from containers.basis.escapes import visible
from containers.basis.stopping import on_signals, stop
from containers.basis.talk import log, talk_on_terminal

FAILED, MISTYPED = 1, 2  # the contract's exit codes: bad data or a photo, and flags
SIGNALLED = 128  # and the signal's number, as shells have it
HOPELESS_ERRORS = (errno.ENAMETOOLONG, errno.ELOOP)  # what no folder that is made can mend
SHOWN_CHARACTERS = 80  # of a value that is too long


class ArgumentParser(argparse.ArgumentParser):
    """Parse flags and show their defaults; a mistake is one `error:` line and exit code 2."""

    def __init__(self, doc: str):
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(description=doc, formatter_class=formatter, allow_abbrev=False)

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add a flag; its help text ends with its default."""
        if "action" not in options and options.get("default") is not None:
            options["help"] += " (default: %(default)s)"
        return super().add_argument(*names, **options)

    def parse_args(  # type: ignore[override]  # without a namespace, which nobody gives
        self, given: list[str] | None = None
    ) -> argparse.Namespace:
        """Parse flags; what no flag can take, whatever it is for, is a mistake.

        That is an empty value, as of a variable that is not set, and a name that no file can have.
        """
        for word in sys.argv[1:] if given is None else given:
            self.require_plain(word)
        args = super().parse_args(given)
        for name, value in vars(args).items():
            if value == "" or (isinstance(value, list) and "" in value):
                self.error(f"{name} is empty: give a value or leave it out")
        for action in self._actions:
            if action.type is None and action.choices is None:  # a path, or a model's id
                value = getattr(args, action.dest, None)
                for text in value if isinstance(value, list) else [value]:
                    if isinstance(text, str) and (problem := path_problem(text)):
                        self.error(f"{action.dest} {text[:SHOWN_CHARACTERS]}: {problem}")
        return args

    def require_plain(self, word: str) -> None:
        """Exit for a word that argparse would not take as it is meant."""
        flag, _, value = word.partition("=")
        if word.startswith("-") and value == "--":  # which it takes away, and fails
            self.error(f"{word}: type {flag} ./-- for a file of this name")
        if word[:1] == "-" and flag not in self._option_string_actions and os.path.lexists(word):
            self.error(f"{word} begins like a flag: type ./{word}")

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(2, f"error: {visible(message)}; see {self.prog} --help\n")


def path_problem(text: str) -> str | None:
    """Return why a text can name no file or folder, whether there is one or not, or None."""
    if "\0" in text:
        return "a name holds no null character"
    try:
        os.stat(text)
    except OSError as error:
        return error.strerror if error.errno in HOPELESS_ERRORS else None
    except ValueError:  # halves of characters, where names are UTF-8
        return "no name of a file"
    return None


def changed_flags(parser: argparse.ArgumentParser, args: argparse.Namespace, *names: str) -> str:
    """Return those of the named flags that are not at their defaults, as they are typed."""
    changed = [name for name in names if getattr(args, name) != parser.get_default(name)]
    return "".join(f" --{name} {shlex.quote(str(getattr(args, name)))}" for name in changed)


def command(
    build_parser: Callable[[], argparse.ArgumentParser], go_on: str = "run it again"
) -> Callable[[Callable[[argparse.Namespace], int]], Callable[..., int]]:
    """Make a function of parsed flags a command: `main(argv=None)`, which returns an exit code.

    A `UserError` becomes one line on stderr; so does a signal, with
    `go_on`, which says what to do after it.
    """

    def decorate(work: Callable[[argparse.Namespace], int]) -> Callable[..., int]:
        @functools.wraps(work)
        def main(argv: list[str] | None = None) -> int:
            for stream in (sys.stdout, sys.stderr):  # where the terminal's alphabet is small
                if hasattr(stream, "reconfigure"):
                    stream.reconfigure(errors="backslashreplace")
            talk_on_terminal()
            before = on_signals(stop)
            try:
                return work(build_parser().parse_args(argv))
            except BrokenPipeError:  # the reader of our output, as `| head`, has enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return FAILED
            except (UserError, OSError) as error:  # OSError: the disk is full, a drive is gone
                log.error(explain(error))
                return MISTYPED if isinstance(error, FlagError) else FAILED
            except KeyboardInterrupt as stopped:
                log.error(f"interrupted ({str(stopped) or 'SIGINT'}): {go_on}")
                return SIGNALLED + int(getattr(stopped, "number", signal.SIGINT))
            finally:  # a script's own end: a signal finds nothing more to put in words
                for number, handler in before.items():
                    default = argv is None and handler is not signal.SIG_IGN
                    signal.signal(number, signal.SIG_DFL if default else handler)

        return main

    return decorate


def explain(error: Exception) -> str:
    """Return an error in words: of the system's, what and where, without its number."""
    if isinstance(error, UserError):
        return error.typed
    if not isinstance(error, OSError) or not error.strerror:
        return str(error) or type(error).__name__
    return ": ".join(str(part) for part in (error.filename, error.strerror) if part is not None)
