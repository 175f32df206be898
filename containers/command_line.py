"""How a command talks: flags, one `error:` line, the contract's exit codes, progress on stderr."""

from __future__ import annotations

import argparse
import functools
import os
import re
import sys
from collections.abc import Callable

from containers.errors import UserError


class ArgumentParser(argparse.ArgumentParser):
    """Parse flags and show their defaults; a mistake is one `error:` line and exit code 2."""

    def __init__(self, doc: str):
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(description=doc, formatter_class=formatter, allow_abbrev=False)

    def add_argument(self, *names: str, **options) -> argparse.Action:
        """Add a flag; its help text ends with its default."""
        if "action" not in options and options.get("default") is not None:
            options["help"] += " (default: %(default)s)"
        return super().add_argument(*names, **options)

    def error(self, message: str) -> None:
        """Print one line and exit with code 2."""
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def command(
    build_parser: Callable[[], argparse.ArgumentParser],
) -> Callable[[Callable[[argparse.Namespace], int]], Callable[..., int]]:
    """Make a function of parsed flags a command: `main(argv=None)`, which returns an exit code.

    These are the contract's: a `UserError` becomes one line on stderr.
    """

    def decorate(work: Callable[[argparse.Namespace], int]) -> Callable[..., int]:
        @functools.wraps(work)
        def main(argv: list[str] | None = None) -> int:
            for stream in (sys.stdout, sys.stderr):  # names may hold what the terminal cannot show
                if hasattr(stream, "reconfigure"):
                    stream.reconfigure(errors="backslashreplace")
            try:
                return work(build_parser().parse_args(argv))
            except BrokenPipeError:  # the reader of our output, as `| head`, has enough
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return UserError.exit_code
            except (UserError, OSError) as error:  # OSError: the disk is full, a drive is gone
                say(f"error: {error}")
                return getattr(error, "exit_code", UserError.exit_code)
            except KeyboardInterrupt:
                say("error: interrupted")
                return 130

        return main

    return decorate


def say(message: str) -> None:
    """Print progress, a warning or an error on stderr; of many processes the first speaks."""
    if is_first_process():
        print(re.sub(r"[\t\n\r]", lambda c: repr(c[0])[1:-1], message), file=sys.stderr, flush=True)


def is_first_process() -> bool:
    """Tell whether this is the only process, or the first that `accelerate launch` started."""
    return os.environ.get("RANK", "0") == "0"


def bar_options() -> dict[str, bool]:
    """Return how tqdm shows a bar on stderr: not at all where that is no terminal."""
    return {"leave": False, "dynamic_ncols": True, "disable": not sys.stderr.isatty()}
