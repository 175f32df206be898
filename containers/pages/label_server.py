"""The page for labelling and reviewing, served to this machine alone, by an address with a token.

Who does not have the token, which is this run's own, gets nothing. Under it are the page,
`photos/VERSION` (what the file holds, if it is another version), `photo/KEY` (a listed photo, small
enough to come at once), `whole/KEY` (the same, large enough to read small digits), `crop/KEY` (its
number alone), `label`, to which answers are sent, and `again`, which saves those again over which
somebody has saved an older file.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import json
import re
import secrets
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from containers.basis.errors import FlagError, UserError
from containers.basis.escapes import visible
from containers.basis.files import file_stamp
from containers.data.book import Book, OutdatedError
from containers.data.label_book import LabelBook
from containers.number.iso6346 import ALPHABET
from containers.number.owners import known_owner_codes
from containers.number.size_type import HEIGHTS, LENGTHS, TYPES, in_languages
from containers.photo.files import PassedOver, images_in
from containers.photo.opening import to_jpeg
from containers.photo.thumbnails import Box, lay_flat

PAGE = Path(__file__).with_name("label_page.html")
HOSTS = ("127.0.0.1", "localhost")  # any other name in a request may be an attacker's
LONGEST_SIDES = {"photo": 1920, "whole": 6000, "crop": 1400}  # pixels
LOOK_AGAIN = 2.0  # seconds between two looks for new photos
PAGE_GONE_SECONDS = 5.0  # each open page asks once a second
MOST_CONNECTIONS = 24  # a browser opens six; macOS gives a process 256 file handles
UNKNOWN = "unknown"  # of a page that lacks what somebody has saved just now: it asks for all
SCALED_KEPT = 64  # scaled photos, about half a megabyte each
LARGEST_ANSWER = 10_000  # bytes
POLICY = (
    "default-src 'none'; img-src blob: data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
JSON, HTML, JPEG = "application/json", "text/html; charset=utf-8", "image/jpeg"


def page_of(nonce: str, role: str) -> bytes:
    """Return the page in a role: one file; style and script, which the nonce lets run, inside."""
    text = PAGE.read_text(encoding="utf-8")
    for name in ("label_page.css", "label_words.js", "label_page.js"):
        inside = PAGE.with_name(name).read_text(encoding="utf-8")
        text = text.replace(f"/* {name} */\n", inside)
    return text.replace("NONCE", nonce).replace("ROLE", role).encode()


class Handler(BaseHTTPRequestHandler):
    """Answer one request."""

    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a connection may be silent, and a body may take
    server: LabelServer

    def do_GET(self) -> None:
        """Send the page, the photos' list or a photo."""
        self.reply(self.get)

    def do_POST(self) -> None:
        """Take an answer."""
        self.reply(self.post)

    def reply(self, work: Callable[[str], None]) -> None:
        """Do the work for whoever has the address, and say what went wrong."""
        token, _, target = self.path.removeprefix("/").partition("/")
        host = self.headers.get("Host", "").rpartition(":")
        allowed = (host[0] or host[2]) in HOSTS
        if not (allowed and hmac.compare_digest(token.encode(), self.server.token.encode())):
            self.close_connection = True  # what else it may have sent is not read
            self.send(HTTPStatus.FORBIDDEN, b"", "text/plain")
            return
        self.server.note(self.connection)
        try:
            work(target)
        except (UserError, OSError) as error:
            self.send_json({"error": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)

    def get(self, target: str) -> None:
        """Send what a target names."""
        kind, _, key = target.partition("/")
        if target == "":
            self.send(HTTPStatus.OK, self.server.page, HTML)
        elif kind == "photos":
            self.send_photos(key)
        elif kind in LONGEST_SIDES and (path := self.server.book.find(key)):
            self.send_photo(path, kind, self.server.book.box(key) if kind == "crop" else ())
        else:
            self.send(HTTPStatus.NOT_FOUND, b"", "text/plain")

    def send_photo(self, path: Path, kind: str, box: Box) -> None:
        """Send a photo, or the number in its box, unless it is the one that the page has."""
        stamp = *file_stamp(path), *(side for corner in box for side in corner)
        tag = '"{}"'.format("-".join(map(str, stamp)))
        if self.headers.get("If-None-Match") == tag:
            self.send(HTTPStatus.NOT_MODIFIED, b"", JPEG)
            return
        data, (width, height) = self.server.scaled(path, kind, stamp, box)
        self.send(HTTPStatus.OK, data, JPEG, {"X-Size": f"{width} {height}", "ETag": tag})

    def send_photos(self, known: str) -> None:
        """Send what the file holds, unless it is the version that is known."""
        book, others = self.server.book, self.server.others(self.headers.get("X-Page", ""))
        self.server.look_for_photos()
        with book.lock:
            version, photos, lost = book.read(), book.photos, len(book.lost)
        if version == known:
            self.send(HTTPStatus.NO_CONTENT, b"", JSON)
            return
        rules: dict[str, object] = {"alphabet": ALPHABET, "owners": sorted(known_owner_codes())}
        rules |= {"sizeTypes": [in_languages(table) for table in (LENGTHS, HEIGHTS, TYPES)]}
        state: dict[str, object] = {"version": version, "photos": photos}
        state |= {"file": visible(str(book.path)), "lost": lost, "others": others}
        self.send_json(state | {"next": visible(self.server.next_step)} | rules)

    def post(self, target: str) -> None:
        """Save an answer; send what the photo's entry then holds, and the versions round it.

        At `again` all answers are saved again over which an older file was saved.
        """
        if target == "again":
            self.close_connection = True  # what else it may have sent is not read
            self.send_json({"saved": self.server.book.give_again()})
            return
        length = self.headers.get("Content-Length", "")
        small = re.fullmatch("[0-9]{1,5}", length) and int(length) <= LARGEST_ANSWER
        if target != "label" or not small:
            self.close_connection = True
            self.send(HTTPStatus.NOT_FOUND, b"", "text/plain")
            return
        try:
            body = self.rfile.read(int(length))
        except OSError:  # it stalls, or has gone away: nothing more is read of it
            self.close_connection = True
            self.send(HTTPStatus.REQUEST_TIMEOUT, b"", "text/plain")
            return
        try:
            answer = json.loads(body)
            key, number, seen = (str(answer[name]) for name in ("key", "number", "stamp"))
            unreadable, size_type = answer["unreadable"] is True, str(answer.get("sizeType", ""))
        except (ValueError, KeyError, TypeError, RecursionError):
            self.send(HTTPStatus.BAD_REQUEST, b"", "text/plain")
            return
        book, status = self.server.book, HTTPStatus.OK
        found: dict[str, object] = {}
        with book.lock:
            found["before"] = book.read()
            is_alone = True
            try:
                is_alone = book.answer(key, number, unreadable, seen, size_type)
            except OutdatedError as error:
                found["error"], status = str(error), HTTPStatus.CONFLICT
            found["version"] = book.read() if is_alone else UNKNOWN
            found["photo"] = next((p for p in book.photos if p["key"] == key), None)
        self.send_json(found, status)

    def send_json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Send a value as JSON."""
        self.send(status, json.dumps(value, allow_nan=False).encode(), JSON)

    def send(
        self, status: HTTPStatus, data: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        """Send a reply that no other page may use and no cache keeps."""
        nonce = f"'nonce-{self.server.nonce}'"
        always = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Content-Security-Policy": f"{POLICY}; script-src {nonce}; style-src {nonce}",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        self.send_response(status)
        for name, value in (always | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal is the user's."""


class LabelServer(socketserver.ThreadingTCPServer):
    """Serve the page of one book at 127.0.0.1; port 0 takes one that is free.

    Photos that come into the `folder` come to the page, while it is open. `next_step` is the
    command that it names when all photos have their answer.
    """

    daemon_threads = allow_reuse_address = True

    def __init__(self, book: Book, port: int = 0, folder: Path | None = None, next_step: str = ""):
        self.book, self.token, self.nonce = book, secrets.token_urlsafe(16), secrets.token_hex(8)
        self.folder, self.next_step, self.looked = folder, next_step, -LOOK_AGAIN
        self.passed_over, self.counting = PassedOver(), threading.Lock()
        self.connections: dict[socket.socket, float] = {}  # and since when they are silent
        self.pages: dict[str, float] = {}  # those that are open, and when they last asked
        self.page, self.decoding = page_of(self.nonce, book.role), threading.Lock()
        self.kept = functools.lru_cache(SCALED_KEPT)(to_jpeg_of)
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except OSError as error:
            reason = f"{error.strerror}; leave it out for one that is free"
            raise FlagError(f"§port {port}: {reason}") from None

    @property
    def address(self) -> str:
        """Return where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    def look_for_photos(self) -> None:
        """Take in what is new in the folder, if nobody has looked just before.

        Where another process writes annotations.json, the next look takes it in.
        """
        if not isinstance(self.book, LabelBook) or self.folder is None:
            return
        with self.book.lock:
            if time.monotonic() < self.looked + LOOK_AGAIN:
                return
            with contextlib.suppress(UserError):  # a mistake in the file is said by who reads it
                self.book.add(images_in(self.folder, self.passed_over))
            self.looked = time.monotonic()

    def others(self, page: str) -> int:
        """Take down that a page is open; return how many others are: each begins elsewhere."""
        now = time.monotonic()
        with self.counting:
            self.pages = {
                name: at for name, at in self.pages.items() if now < at + PAGE_GONE_SECONDS
            }
            self.pages[page] = now
            return len(self.pages) - 1

    def scaled(
        self, path: Path, kind: str, stamp: tuple[int, ...], box: Box = ()
    ) -> tuple[bytes, tuple[int, int]]:
        """Return a photo as JPEG, and its own size; one is decoded at a time, in turn."""
        with self.decoding:
            if box:
                return lay_flat(path, box, LONGEST_SIDES[kind])
            if kind == "whole":
                return to_jpeg(path, LONGEST_SIDES[kind])
            return self.kept(path, stamp)

    def handle_error(self, request: Any, client_address: object) -> None:
        """Say nothing of a browser that has gone away, or of one that stalls."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def process_request(self, request: Any, client_address: object) -> None:
        """Have a request answered; where too many connections wait, the stalest one is ended.

        Each holds a thread and a file handle, of which a system gives few.
        """
        with self.counting:
            if len(self.connections) >= MOST_CONNECTIONS:
                stalest = min(self.connections, key=self.connections.__getitem__)
                del self.connections[stalest]
                with contextlib.suppress(OSError):
                    stalest.shutdown(socket.SHUT_RDWR)
            self.connections[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        with self.counting:
            self.connections.pop(request, None)
        super().shutdown_request(request)

    def note(self, request: socket.socket) -> None:
        """Take down that a connection has just asked for something, with the token."""
        with self.counting:
            if request in self.connections:
                self.connections[request] = time.monotonic()


def to_jpeg_of(path: Path, _stamp: tuple[int, ...]) -> tuple[bytes, tuple[int, int]]:
    """Return a photo as the page shows it, by what its file is."""
    return to_jpeg(path, LONGEST_SIDES["photo"])
