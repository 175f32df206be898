"""A small hub on 127.0.0.1: lists one model and serves its files, with the faults of a network."""

import contextlib
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BLOCK = 4096


class SmallHub(ThreadingHTTPServer):
    """Serve the files of a folder as `model` at `commit`; `log` holds what was asked.

    Weights come by way of another host, as from the published hub. What is set below is done to
    their bytes; `hanging` is set by tests to have a request wait: "api" or "cdn".
    """

    daemon_threads = True

    def __init__(self, folder: Path, model: str, commit: str = COMMIT):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self.model, self.commit, self.log = model, commit, []
        self.cuts: list[int] = []  # after so many bytes a connection ends; one each
        self.stop_at: int | None = None  # so many bytes come, then none, and the connection stays
        self.spoilt = self.ranges_ignored = False
        self.hanging, self.status, self.lie = "", 200, 0  # `lie`: bytes more than there are
        self.rate = 0  # bytes a second; 0: as fast as they go
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the weights."""
        return hashlib.sha256(self.files["model.safetensors"]).hexdigest()

    def asked(self, part: str) -> list[dict]:
        """Return the requests whose path holds `part`."""
        return [request for request in self.log if part in request["path"]]

    def listing(self) -> dict:
        """Return what the hub's API says of the model."""
        files = []
        for name, data in self.files.items():
            head = b"blob %d\0" % len(data)
            entry = {"rfilename": name, "size": len(data) + self.lie}
            entry["blobId"] = hashlib.sha1(head + data).hexdigest()
            if name.endswith(".safetensors"):
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(data) + self.lie, "pointerSize": 134}
            files.append(entry)
        return {"id": self.model, "sha": self.commit, "siblings": files}


class Answer(BaseHTTPRequestHandler):
    """Answer one request."""

    protocol_version = "HTTP/1.1"
    server: SmallHub

    def log_message(self, *_) -> None:
        """Write nothing: the hub keeps its own log."""

    def reply(self, status: int, data: bytes = b"", **headers: str) -> None:
        """Send an answer, whole."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self) -> None:
        """Answer, as long as who asked is there."""
        with contextlib.suppress(ConnectionError):
            self.answer()

    def answer(self) -> None:
        """List the model, send a file, or send to where its weights are."""
        hub, path = self.server, unquote(urlparse(self.path).path)
        if hub.model in path or path.startswith("/cdn/"):  # not what libraries ask for themselves
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.log.append({"path": path, "url": self.path, **headers})
        while hub.hanging and f"/{hub.hanging}/" in path:
            time.sleep(0.01)
        name = path.rpartition("/")[2]
        if hub.status != 200:
            self.reply(hub.status, X_Error_Message=f"the hub says {hub.status}")
        elif path.startswith(f"/api/models/{hub.model}/revision/"):
            known = name in ("main", hub.commit)
            headers = {} if known else {"X_Error_Code": "RevisionNotFound"}
            self.reply(200 if known else 404, json.dumps(hub.listing()).encode(), **headers)
        elif path.startswith("/cdn/"):
            self.send_weights(hub.files[name])
        elif path.startswith(f"/{hub.model}/resolve/{hub.commit}/") and name in hub.files:
            if name.endswith(".safetensors"):
                place = hub.url.replace("127.0.0.1", "localhost")
                self.reply(302, Location=f"{place}/cdn/{name}")
            else:
                self.reply(200, hub.files[name])
        else:
            self.reply(404)

    do_HEAD = do_GET

    def send_weights(self, data: bytes) -> None:
        """Send bytes from where they are asked for, with the faults that are set."""
        hub, asked = self.server, self.headers.get("Range")
        start = (
            int(asked.removeprefix("bytes=").rstrip("-")) if asked and not hub.ranges_ignored else 0
        )
        end = start + hub.cuts.pop(0) if hub.cuts else len(data)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        data = bytes(len(data)) if hub.spoilt else data
        for place in range(start, min(end, len(data)), BLOCK):
            while hub.stop_at is not None and place >= hub.stop_at:
                time.sleep(0.01)
            self.wfile.write(data[place : min(place + BLOCK, end)])
            if hub.rate:
                time.sleep(BLOCK / hub.rate)
        self.close_connection = end < len(data)


@contextlib.contextmanager
def serving(folder: Path, model: str, commit: str = COMMIT):
    """Serve a model while a test runs."""
    with SmallHub(folder, model, commit) as hub:
        threading.Thread(target=hub.serve_forever, args=(0.01,), daemon=True).start()
        yield hub
        hub.shutdown()
