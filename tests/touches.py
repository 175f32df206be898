"""Attacks on what is not ours, on flags and on sockets: each part counts what it tries.

Others' files stand in every place that is written, two outputs are one file, flags take every odd
value, and connections to the label page are silent, stall, or send noise.
"""

import contextlib
import http.client
import io
import itertools
import json
import random
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from conftest import NUMBER, ROOT, draw_photo, write_annotations

import batch_process
import container_ocr
import finetune_florence
import prepare_dataset
from containers.data.label_book import LabelBook
from containers.pages.label_server import Handler, LabelServer

Count = Callable[[str, str | None], None]
NOTES = b"my own notes, a line of which is not whole"
RESULT_PLACES = ("r.txt", "r.txt.partial", "r_grouped.txt", "r.html", ".r.txt.lock")
ADAPTER_PLACES = ("README.md", "tokenizer.json", "train_log.jsonl", "train_args.json")
ADAPTER_PLACES += ("config.json", "training_curve.png", "owner_codes.txt", "checkpoint-7/x")
SPLIT_PLACES = ("dataset/train.json", "dataset/val.json", "dataset/.train.json.lock")
SMALL = ["--model", str(ROOT / "small_model"), "--device", "cpu"]
READ = ["--output", "r.txt", "--group_by", "--report", "r.html", *SMALL]
ODD = [
    "",
    "--",
    "-",
    ".",
    "..",
    "/",
    "//",
    "~",
    "a/",
    "\0",
    "x\0y",
    "\n",
    "\x1b[2J",
    "한글",
    "\ud800",
]
ODD += ["-1", "0", "1e309", "-1e309", "nan", "inf", "0x10", "1_000", "9" * 5000, "x" * 5000]
ODD += ["(", ")", "[", "*", "(" * 3000, "a{99999999999}", "(?P<x", "\\", "loop", "-x.jpg"]
ODD += ["/dev/null", "/dev/zero", "no", "image", "image/a.jpg", "annotations.json", "none", "auto"]
NOTHING = {  # what makes a command end before it reads a photo, whatever else is right
    batch_process: ["no_such_folder"],
    container_ocr: ["no.jpg", "--model", "./no_such_model"],
    finetune_florence: ["--train", "no.json"],
    prepare_dataset: ["--mode", "prepare", "--annotation_file", "no.json"],
}


def type_quietly(main: Callable[[list[str]], int], argv: list[str]) -> str | None:
    """Type a command; return what is wrong with its end: it must be one line of words."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(argv)
        except SystemExit as stop:
            code = stop.code
        except Exception as error:
            return f"traceback: {argv}: {error!r}"
    lines = [line for line in said.getvalue().splitlines() if line.startswith("error: ")]
    if code and not lines:
        return f"wrong: {argv}: exit code {code} without a word"
    return None


def touch_others(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Put others' files where something is written: they stay as they are."""
    for name in "ab":
        draw_photo(Path(f"image/{name}.jpg"), NUMBER)
    labels = {"image/a.jpg": NUMBER, "image/b.jpg": "HLXU 200841 9"}
    write_annotations(Path("annotations.json"), labels)
    commands = [(batch_process.main, READ, place) for place in RESULT_PLACES]
    commands += [(batch_process.main, [*READ, "--resume"], place) for place in RESULT_PLACES]
    commands += [(prepare_dataset.main, ["--mode", "prepare"], place) for place in SPLIT_PLACES]
    for flags in ([], ["--overwrite"], ["--resume"]):
        adapter = ["--output", "out", *SMALL, *flags]
        commands += [(finetune_florence.main, adapter, f"out/{p}") for p in ADAPTER_PLACES]
    for main, argv, place in itertools.islice(itertools.cycle(commands), count):
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(NOTES + rng.randbytes(rng.randrange(40)))
        before = path.read_bytes()
        problem = type_quietly(main, argv)
        if not path.exists() or path.read_bytes() != before:
            problem = f"lost: {place} by {argv}"
        tell("others' files where something is written", problem)
        path.unlink(missing_ok=True)
        shutil.rmtree("out", ignore_errors=True)


def cross_outputs(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Make two outputs of a command one file, by a link: nothing is read, nothing replaced."""
    draw_photo(Path("image/a.jpg"), NUMBER)
    places = ["r.txt", "r.txt.partial", "r_grouped.txt", "r.html", "annotations.json"]
    pairs = list(itertools.permutations(places, 2))
    for link, place in itertools.islice(itertools.cycle(pairs), count):
        write_annotations(Path("annotations.json"), {"image/a.jpg": NUMBER})
        Path("r.txt").write_text("# batch_process.py: older results\n")
        path, target = Path(link), Path(place)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        before = target.read_bytes() if target.exists() else None
        problem = type_quietly(batch_process.main, READ)
        after = target.read_bytes() if target.exists() else None
        lost = f"lost: {link} is {place}" if after != before else None
        tell("two outputs that are one file", problem or lost)
        for name in places:
            Path(name).unlink(missing_ok=True)


def odd_values(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Give every flag of every script every odd value: each ends in words."""
    draw_photo(Path("image/a.jpg"), NUMBER)
    Path("loop").symlink_to("loop")
    every = [
        (script, action.option_strings[-1], value)
        for script in NOTHING
        for action in script.build_parser()._actions
        if action.option_strings and action.nargs != 0
        for value in ODD
    ]
    for script, flag, value in itertools.islice(itertools.cycle(every), count):
        word = [f"{flag}={value}"] if rng.random() < 0.5 else [flag, value]
        tell("values of flags", type_quietly(script.main, [*word, *NOTHING[script]]))


@contextlib.contextmanager
def page() -> Iterator[LabelServer]:
    """Serve the label page of one photo."""
    draw_photo(Path("image/a.jpg"), NUMBER)
    write_annotations(Path("annotations.json"), {"image/a.jpg": NUMBER})
    with LabelServer(LabelBook(Path("annotations.json"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def request_of(rng: random.Random, token: str) -> bytes:
    """Return a request that is broken, stalls, or is well."""
    places = ["", "photos/", "photo/x", "whole/../x", "label", "again", "%00", "x" * 70_000]
    start = f"{rng.choice(['GET', 'POST', 'PUT', 'x'])} /{rng.choice([token, 'x', ''])}"
    start += f"/{rng.choice(places)} HTTP/1.{rng.choice('019')}\r\n"
    host = rng.choice(["localhost", "127.0.0.1", "evil.example", ""])
    length = rng.choice(["0", "5", "99", "-1", "9" * 5000, "x", "1e3"])
    whole = f"{start}Host: {host}\r\nContent-Length: {length}\r\n\r\n{{}}".encode()
    return whole[: rng.choice([0, 1, len(whole) // 2, len(whole), len(whole)])]


def press_sockets(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Open connections that are silent, stall or send noise: whoever asks is answered all along."""
    Handler.timeout, said = 1, io.StringIO()
    with page() as server, contextlib.redirect_stderr(said):
        lines: list[socket.socket] = []
        before = Path("annotations.json").read_bytes()
        for _ in range(count):
            line = socket.create_connection(server.server_address, timeout=10)
            with contextlib.suppress(OSError):
                line.sendall(request_of(rng, server.token))
            lines.append(line)
            if len(lines) > 80:
                lines.pop(rng.randrange(80)).close()
            problem = answer_problem(server)
            if Path("annotations.json").read_bytes() != before:
                problem = "lost: a label"
            if "Traceback" in said.getvalue():
                problem = f"traceback: {said.getvalue()[-300:]}"
            tell("connections to the label page", problem)
        for line in lines:
            line.close()


def answer_problem(server: LabelServer) -> str | None:
    """Return what is wrong with the answer to a page that asks."""
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    try:
        connection.request("GET", f"/{server.token}/photos/")
        return None if json.loads(connection.getresponse().read())["photos"] else "wrong: no photo"
    except TimeoutError:
        return "hang: no answer"
    except (OSError, ValueError, KeyError) as error:
        return f"wrong: {error!r}"
    finally:
        connection.close()
