"""How a model comes to this machine: from the hub into its cache, all of it, and once.

A commit of a model never changes: what is here of one needs no request. The default model is pinned
to one; another id's branch is looked up once in a run, and where the hub does not answer it is what
it was the last time. The cache is laid out as huggingface_hub does it (a blob for each digest, a
folder of links for each commit, what each branch was), so that plain peft and transformers find the
same files there.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from pathlib import Path
from threading import Event

from containers.basis.errors import ModelError, UserError
from containers.basis.files import replacing
from containers.basis.talk import counted, log
from florence.download import (
    Bytes,
    CutError,
    RemoteFile,
    amount,
    bring,
    drop_litter,
    here,
    in_background,
    is_refused,
    reason_of,
)
from florence.model_folder import read_json, read_model_config
from florence.names import DEFAULT_MODEL, SMALL

PINS = {DEFAULT_MODEL: "4271c66b88cdbc05735372ec13b2360108de5317"}  # what was looked through
BRANCH = "main"
COMMIT = re.compile("[0-9a-f]{40}")
DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
ENDINGS = (".json", ".txt", ".safetensors")  # no pickle, no code
ANSWER_SECONDS = 10  # seconds that the hub has to list a model's files
SMALL_FOLDER = Path(__file__).parent.parent / "small_model"  # comes along


def fetch_model(model: str, revision: str | None = None) -> Path:
    """Return the folder of a model: the one named, or an id's at a revision, fetched where needed.

    Raises `ModelError` where it cannot be had.
    """
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import constants

    repo = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}"
    return fetch_snapshot(repo, model, revision or PINS.get(model, BRANCH))


def folder_of(model: str) -> str:
    """Return the folder that `small` means, the model that ships; another name as it is."""
    return str(SMALL_FOLDER) if model == SMALL else model


@functools.cache
def fetch_snapshot(repo: Path, model: str, revision: str) -> Path:
    """Return the folder of a hub's model in its part of the cache, fetched where it is not whole.

    Many processes may do this at once: each file is fetched by one of them.
    """
    cached = find_snapshot(repo, revision)
    if cached is not None and cached.name == revision:
        log.info(f"model: {model} at {revision[:12]}, in the cache of this machine")
        return cached
    at = revision[:12] if COMMIT.fullmatch(revision) else revision
    try:
        commit, files = in_background(lambda _: list_files(model, revision))
    except Exception as error:  # of the hub, of HTTP, of what answers in the hub's place
        reason, remedy = why_not_listed(error)
        if cached is None:
            lost = f"{model} is no folder here, and cannot be fetched at {at}"
            raise ModelError(f"{lost}: {reason}; {remedy}") from None
        log.warning(f"{reason}: taking {model} at {at} as it was last seen, {cached.name[:12]}")
        return cached
    snapshot = repo / "snapshots" / commit
    log.info(f"model: {model} at {commit[:12]}, from the hub or its cache on this machine")
    if lacking := [file for file in files if not (snapshot / file.name).is_file()]:
        fetch_files(repo, snapshot, lacking, f"{model} at {at}")
    note(repo, revision, commit)
    return snapshot


def find_snapshot(repo: Path, revision: str) -> Path | None:
    """Return the folder in the cache where a revision is whole, as far as can be told unasked."""
    branch = repo / "refs" / revision
    commit = branch.read_text().strip() if branch.is_file() else revision
    snapshot = repo / "snapshots" / commit
    if not COMMIT.fullmatch(commit) or not snapshot.is_dir():
        return None
    index = snapshot / "model.safetensors.index.json"
    try:  # the weights come last: where they are, the rest is
        read_model_config(snapshot)
        parts = read_json(index).get("weight_map", {}).values() if index.is_file() else ()
    except UserError:
        return None
    return snapshot if all((snapshot / part).is_file() for part in parts) else None


def list_files(model: str, revision: str) -> tuple[str, list[RemoteFile]]:
    """Return the commit that a revision is at on the hub, and the model's files, largest last."""
    from huggingface_hub import HfApi, hf_hub_url

    info = HfApi().model_info(model, revision=revision, files_metadata=True, timeout=ANSWER_SECONDS)
    files = []
    for entry in info.siblings or ():
        if entry.rfilename.endswith(ENDINGS) and "/" not in entry.rfilename:
            digest = str(entry.lfs.sha256 if entry.lfs else entry.blob_id)
            if entry.size is None:
                raise ValueError("it lists a file without its size")
            url = hf_hub_url(model, entry.rfilename, revision=info.sha)
            files.append(RemoteFile(entry.rfilename, entry.size, digest, url))
    digests = [file.digest for file in files]
    commit = revision if COMMIT.fullmatch(revision) else str(info.sha)
    if commit != info.sha or not all(map(DIGEST.fullmatch, [commit, *digests])):
        raise ValueError("it lists another commit, or files without their digests")
    return commit, sorted(files, key=lambda file: file.size)


def fetch_files(repo: Path, snapshot: Path, files: list[RemoteFile], what: str) -> None:
    """Bring files into the cache, and link them from the folder of their commit."""
    blobs, locks = repo / "blobs", repo.parent / ".locks" / repo.name
    missing = [file for file in files if not (blobs / file.digest).is_file()]
    done, total = sum(here(f, blobs) for f in missing), sum(file.size for file in missing)
    require_room(repo, total - done, what)
    have = f", {amount(done)} of them are here" if done else ""
    log.info(f"fetching {counted(len(missing), 'file')}, {amount(total)}{have}")
    with Bytes(title="fetching", total=total, done=done) as pace:

        def work(stopped: Event) -> None:
            drop_litter(blobs, locks)
            for file in missing:
                bring(file, blobs, locks, stopped, pace)

        try:
            in_background(work)
        except ModelError as error:
            remedy = ""
            if isinstance(error, CutError):
                have = f"{amount(pace.n)} of {amount(total)} are here"
                remedy = f"; run it again: it goes on where it stopped ({have}), {elsewhere()}"
            raise ModelError(f"cannot fetch {what}: {error}{remedy}") from None
    for file in files:
        link(blobs / file.digest, snapshot / file.name)


def require_room(repo: Path, needed: int, what: str) -> None:
    """Raise `UserError` where the cache's disk has less room than is needed."""
    disk = next(folder for folder in (repo, *repo.parents) if folder.is_dir())
    free = shutil.disk_usage(disk).free
    if free < needed:
        raise UserError(
            f"no room for {what}: {amount(needed)} are to come, and {amount(free)} are free in "
            f"{disk}; make room, or set HF_HOME to a folder on a larger disk"
        )


def link(blob: Path, target: Path) -> None:
    """Have a file in the folder of its commit: a link, or itself where the system makes none."""
    if target.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # a link that leads nowhere
    try:
        target.symlink_to(os.path.relpath(blob, target.parent))
    except FileExistsError:  # another process was first
        return
    except OSError:  # Windows, without the right to make links
        blob.replace(target)


def note(repo: Path, revision: str, commit: str) -> None:
    """Keep at which commit a branch was, for a day on which the hub does not answer."""
    path = repo / "refs" / revision
    if revision != commit and not (path.is_file() and path.read_text().strip() == commit):
        with replacing(path) as file:
            file.write(commit)


def commit_of(folder: Path) -> str | None:
    """Return the commit of a model that came from the hub; of a folder of the user's None."""
    return folder.name if COMMIT.fullmatch(folder.name) else None


def why_not_listed(error: Exception) -> tuple[str, str]:
    """Return why the hub has not said what a model consists of, and what helps."""
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set", f"unset it, {elsewhere()}"
    if is_refused(error):
        return reason_of(error), "check §model and §revision"
    reason = f"{constants.ENDPOINT} does not answer as a hub ({reason_of(error)})"
    return reason, f"run it again when it does, {elsewhere()}"


def elsewhere() -> str:
    """Return what to do where there is no network."""
    copied = "copy the model's folder from a machine with a network and pass §model FOLDER"
    small = f", or type the same with §model {SMALL}, the small model that is here"
    return f"or {copied}{small if SMALL_FOLDER.is_dir() else ''}"
