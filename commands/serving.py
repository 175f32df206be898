"""A page of a book in the browser, served until a signal ends it."""

from __future__ import annotations

import contextlib

from containers.basis.talk import log, show
from containers.pages.label_server import LabelServer


def serve(server: LabelServer) -> None:
    """Say where the page is and serve it until a signal ends it; say how much is done."""
    book = server.book
    show(f"{book.path}: {book.done} of {len(book.photos)} done")
    show(f"{book.role} at {server.address}")
    log.info("every answer is saved at once; Ctrl-C ends this")
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    with book.lock:  # an answer that is being saved
        show(f"{book.path}: {book.done} of {len(book.photos)} done")
