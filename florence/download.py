"""How one file of a model comes: in pieces, as the network lets them, and never half.

What is cut off goes on where it stopped, in this run and in the next: what has come lies beside the
file's place under the name of its digest. It counts when its size and digest are the published
ones. huggingface_hub's own download begins a large file anew in each run, and what a kill cuts off
stays in its cache under a name of chance; its session is used here (proxies, certificates, the
token for the hub alone, HF_HUB_OFFLINE), its layout of the cache, and its locks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from containers.basis.errors import ModelError, one_line
from containers.basis.files import writing
from containers.basis.pace import Pace
from containers.basis.talk import log

if TYPE_CHECKING:
    from filelock import FileLock

PAUSES = (1, 2, 4, 8, 15)  # seconds before one more try; they begin anew whenever bytes have come
STALL_SECONDS = 10  # seconds of silence after which a connection is given up
BLOCK_BYTES = 2**20
PARTIAL = ".incomplete"  # as older versions of huggingface_hub name it, which go on from there too
LITTER = re.compile(r"([0-9a-f]{40,64})\.[0-9a-f]{8}\.incomplete")  # as newer ones do, which do not
BUSY_STATUSES = (408, 425, 429)  # of a server that has too much to do, beside 500 and above

Result = TypeVar("Result")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a model as the hub lists it; `digest` is SHA-256, or git's SHA-1 of a small one."""

    name: str
    size: int
    digest: str
    url: str


class CutError(ModelError):
    """Say why the network has let a file come in part only."""


class Bytes(Pace):
    """Show how many bytes of how many have come, how fast, and the time left."""

    @property
    def format_dict(self) -> dict[str, object]:
        """Return what the line shows, in megabytes and gigabytes."""
        shown = super().format_dict
        done, seconds = shown["n"] - shown["initial"], shown["elapsed"]
        rate = f"{done / seconds / 1e6 if seconds else 0:.1f} MB a second"
        return shown | {"pace": rate, "count": f"{amount(self.n)} of {amount(self.total)}"}


def amount(count: float) -> str:
    """Return a number of bytes in words."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def in_background(work: Callable[[Event], Result]) -> Result:
    """Return what `work` returns, from a thread of its own.

    A signal ends the wait for it at once, whatever it waits for itself: a name that nobody resolves
    would hold Python up for minutes. The event tells `work` that nobody waits for it any more.
    """
    stopped = Event()
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work(stopped))
        except BaseException as error:  # all of it is the other thread's
            result.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        while not result.done():
            wait([result], timeout=1)  # without a limit no signal comes through on Windows
        return result.result()
    finally:
        stopped.set()


def bring(file: RemoteFile, blobs: Path, locks: Path, stopped: Event, pace: Pace) -> None:
    """Bring a file into the folder `blobs`, under the name of its digest.

    Raises `CutError` where the network ends it, `ModelError` where what comes is not what was
    published, `UserError` where the disk is full.
    """
    blob = blobs / file.digest
    with writing(blob, ModelError):
        locks.mkdir(parents=True, exist_ok=True)
        with holding(locks / f"{file.digest}.lock", stopped):
            if blob.is_file():  # another process was first
                return
            part = blob.with_name(blob.name + PARTIAL)
            with open(part, "ab", buffering=0) as out:
                fetch_rest(file, out, stopped, pace)
            if (found := digest_of(part, file)) != file.digest:
                part.unlink()
                raise ModelError(
                    f"{file.name} came as other bytes than were published (digest {found[:12]} in "
                    f"place of {file.digest[:12]}) and was thrown away; run it again, and where "
                    "that does not help look for a proxy that changes files"
                )
            part.replace(blob)


def here(file: RemoteFile, blobs: Path) -> int:
    """Return how many bytes of a file that is not whole are here."""
    part = blobs / (file.digest + PARTIAL)
    return min(part.stat().st_size, file.size) if part.is_file() else 0


def holding(path: Path, stopped: Event) -> FileLock:
    """Return the hub's lock on a file, when no other process holds it; say that one waits."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0.1)
    except Timeout:
        log.info("another process fetches this file: waiting for its end")
        lock.acquire(cancel_check=stopped.is_set)
    return lock


def fetch_rest(file: RemoteFile, out: BinaryIO, stopped: Event, pace: Pace) -> None:
    """Append to `out` what it lacks of a file, trying again as long as that helps."""
    network_error = network_errors()
    pauses = iter(PAUSES)
    while out.tell() < file.size:
        before = out.tell()
        try:
            fetch_some(file, out, stopped, pace)
            problem = "the connection ended"
        except network_error as error:
            problem = reason_of(error)
            if is_refused(error):
                raise ModelError(problem) from None
        if out.tell() > before:
            pauses = iter(PAUSES)
        if out.tell() < file.size:
            pause = next(pauses, None)
            if pause is None:
                raise CutError(problem)
            require_wanted(stopped)
            come = f"{amount(out.tell())} of {amount(file.size)}"
            log.info(f"{file.name} is cut off at {come} ({problem}): going on in {pause} s")
            stopped.wait(pause)


def fetch_some(file: RemoteFile, out: BinaryIO, stopped: Event, pace: Pace) -> None:
    """Append to `out` what one request brings of a file."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if out.tell():
        headers["Range"] = f"bytes={out.tell()}-"
    require_wanted(stopped)
    with get_session().stream("GET", file.url, headers=headers, timeout=STALL_SECONDS) as response:
        hf_raise_for_status(response)
        if response.status_code != 206:  # all of it comes
            pace.update(-out.tell())
            out.seek(0)
            out.truncate()
        for piece in response.iter_bytes():
            require_wanted(stopped)
            out.write(piece)
            pace.update(len(piece))
            if out.tell() > file.size:  # its digest will not be the published one
                return


def network_errors() -> type[Exception]:
    """Return the class of all errors of the hub's HTTP library: httpx, of newer versions httpx2."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


def is_refused(error: Exception) -> bool:
    """Tell whether the hub has answered, and will answer the same again."""
    status = getattr(getattr(error, "response", None), "status_code", 500)
    return status < 500 and status not in BUSY_STATUSES


def require_wanted(stopped: Event) -> None:
    """End the thread where nobody waits for it any more."""
    if stopped.is_set():
        raise KeyboardInterrupt


def reason_of(error: Exception) -> str:
    """Return an error in words, on one line."""
    return one_line(error).rstrip(".") or type(error).__name__


def digest_of(path: Path, file: RemoteFile) -> str:
    """Return the digest of what has come, of the kind that is published."""
    head = b"blob %d\0" % path.stat().st_size
    digest = hashlib.sha256() if len(file.digest) == 64 else hashlib.sha1(head)
    with open(path, "rb") as blocks:
        while block := blocks.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def drop_litter(blobs: Path, locks: Path) -> None:
    """Delete what huggingface_hub's downloads leave when they are killed; not of those that run."""
    from filelock import FileLock, Timeout

    for path in blobs.glob("*" + PARTIAL):
        if found := LITTER.fullmatch(path.name):
            locks.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(locks / f"{found[1]}.lock", timeout=0):
                    path.unlink(missing_ok=True)
            except Timeout:  # its lock is held: it is no litter
                continue
