"""What a script does before its other imports: it asks for what they need, and waits for Ctrl-C.

Without that a Python too old or a package that is missing would be a traceback. So this file,
the __init__.py of each package and the scripts hold nothing that Python 3.7 cannot read, and what
is newer is imported here only once it is known to be there.
"""

from __future__ import annotations

import os
import re
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)")
NAMED_PACKAGES = 4  # packages in one line


def start(requirements: str = "requirements_finetune.txt") -> None:
    """Have Ctrl-C be one line while a script is imported; where that cannot be, end in one line.

    That is where Python is too old, or a package of the requirements file is missing or too old.
    """
    end_with(python_problem(sys.version_info[:3]))
    from containers.basis.stopping import end, on_signals

    on_signals(end)
    end_with(package_problem(requirements))


def end_with(problem: str) -> None:
    """End this process with exit code 2 where there is a problem; of many the first names it."""
    if problem:
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"error: {problem}\n")
        sys.exit(2)


def python_problem(version: tuple[int, ...]) -> str:
    """Return why a Python will not do and what to type; nothing where it will."""
    if version >= OLDEST:
        return ""
    needed, found = (".".join(map(str, number)) for number in (OLDEST, version))
    python = f"py -{needed}" if os.name == "nt" else f"python{needed}"
    remedy = environment() or f"{python} -m venv .venv, which makes an environment of it"
    return f"Python {needed} or newer, this is {found}: type {remedy}"


def package_problem(requirements: str) -> str:
    """Return which packages are missing or too old and what to type; nothing where all are here."""
    from importlib.metadata import PackageNotFoundError, version

    missing, old = [], []
    for name, least in read_requirements(os.path.join(ROOT, requirements)).items():
        try:
            found = version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        if numbers(found) < numbers(least):
            old.append(f"{name} {found} ({least} or newer)")
    kinds = [("not installed", missing), ("too old", old)]
    problems = [f"{kind}: {enumerated(names)}" for kind, names in kinds if names]
    if not problems:
        return ""
    install = f"pip install -r {quoted(os.path.relpath(os.path.join(ROOT, requirements)))}"
    inside = environment()
    return f"{'; '.join(problems)}: type {f'{inside} or ' if inside else ''}{install}"


def read_requirements(path: str) -> dict[str, str]:
    """Return the least version of each package in a requirements file and those that it names."""
    needed = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("-r "):
                other = os.path.join(os.path.dirname(path), line[3:].strip())
                needed.update(read_requirements(other))
            else:
                found = REQUIREMENT.match(line)
                assert found, line  # each names its oldest version
                needed[found[1]] = found[2]
    return needed


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with: 2, 14, 1 of 2.14.1+cu130."""
    found = re.match(r"\d+(\.\d+)*", version)
    assert found, version
    return tuple(map(int, found[0].split(".")))


def enumerated(names: list[str]) -> str:
    """Return names in words; of many the first ones."""
    more = f" and {len(names) - NAMED_PACKAGES} more" if len(names) > NAMED_PACKAGES + 1 else ""
    return ", ".join(names[:NAMED_PACKAGES] if more else names) + more


def environment() -> str:
    """Return what to type to enter the environment that `make demo` has made; nothing without."""
    here = os.path.join(ROOT, ".venv")
    windows = os.path.join(here, "Scripts", "Activate.ps1")
    script = windows if os.path.exists(windows) else os.path.join(here, "bin", "activate")
    if not os.path.exists(script) or os.path.realpath(here) == os.path.realpath(sys.prefix):
        return ""
    return f"{'' if script == windows else 'source '}{quoted(os.path.relpath(script))}"


def quoted(path: str) -> str:
    """Return a path as it is typed."""
    return path if re.fullmatch(r"[\w./\\:-]+", path) else f'"{path}"'
