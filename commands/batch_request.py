"""What batch_process.py is asked for: flags that go together, and the files that they name."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from commands.flags import with_model
from commands.review import require_reviewable
from containers.basis.errors import FlagError
from containers.basis.files import writing
from containers.basis.outputs import Named, require_apart, require_ours
from containers.data.grouped_results import grouped_name
from containers.data.result_file import PARTIAL
from containers.data.result_tables import Table, run_file
from containers.data.results import format_of, require_results
from containers.pages.report import is_report, require_page
from containers.photo.formats import UNPACK, is_photo, remedy_of

OUTPUTS = ("results_base.txt", "results_finetuned.txt")
READING = ("watch", "resume", "group_by", "columns", "output", "model", "lora_path", "batch_size")


def require_possible(args: argparse.Namespace) -> None:
    """Raise `FlagError` for what does not go together, or another command does."""
    folder = Path(args.image_folder)
    if remedy_of(folder) == UNPACK and folder.is_file():
        raise FlagError(f"{folder} is an archive, not a folder: {UNPACK}")
    if is_photo(folder) and folder.is_file():
        typed = with_model(f"container_ocr.py {shlex.quote(args.image_folder)}", args)
        raise FlagError(f"{folder} is a photo, not a folder: type {typed}")
    require_reviewable(args, (*READING, "compare", "report"))
    if args.compare is None:
        output = Path(args.output or OUTPUTS[0])
        if args.columns and not isinstance(format_of(output), Table):
            table = output.with_suffix(".csv")
            raise FlagError(f"--columns is for tables: type --output {table}, or .xlsx")
        return
    given = [name for name in READING if getattr(args, name) not in (None, False)]
    if given:
        typed = shlex.join(["python", "batch_process.py", "--compare", *args.compare])
        raise FlagError(f"--compare reads no photos: leave --{given[0]} out, type {typed}")
    files = args.compare or OUTPUTS
    if len(files) != 2 and not (len(files) == 1 and args.report):
        need = f"takes two result files, not {len(files)}, or one with --report"
        raise FlagError(f"--compare {need}; see batch_process.py --help")
    for name in files:
        if not Path(name).exists():
            adapter = " --lora_path ./florence-container-lora" if name == OUTPUTS[1] else ""
            more = " --resume" if Path(name + PARTIAL).exists() else ""
            typed = f"python batch_process.py ./image{adapter} --output {shlex.quote(name)}{more}"
            raise FlagError(f"no {name} to compare yet: type {typed}")


def require_own_files(args: argparse.Namespace) -> None:
    """Raise `FlagError` where two files of the command are one, or one is none of ours."""
    read: list[Named] = [("--annotation_file", args.annotation_file)]
    read += [("--compare", name) for name in args.compare or ()]
    if args.owner_codes:
        read.append(("--owner_codes", args.owner_codes))
    written: list[Named] = []
    if args.compare is None:
        output = Path(args.output)
        written += [("--output", output), ("--output", output.with_name(output.name + PARTIAL))]
        if args.group_by is not None:
            written.append(("--group_by", grouped_name(output)))
        if isinstance(format_of(output), Table):
            written += [
                ("--output", run_file(Path(path))) for _, path in [*written[:1], *written[2:]]
            ]
    if args.report is not None:
        require_page(Path(args.report))
        written.append(("--report", Path(args.report)))
    require_apart(written, read)
    if args.group_by is not None:
        require_results("--group_by", grouped_name(Path(args.output)))
    if args.report is not None:
        require_ours("--report", Path(args.report), is_report, "report")
        with writing(Path(args.report)):
            pass
