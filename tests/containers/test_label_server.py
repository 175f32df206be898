"""Tests of the page's server: who it answers, and what it gives away."""

import http.client
import json
import math
import os
import socket
import threading
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, draw_photo, write_annotations

from containers.basis.errors import FlagError
from containers.data.label_book import LabelBook
from containers.pages.label_server import (
    LARGEST_ANSWER,
    MOST_CONNECTIONS,
    SCALED_KEPT,
    Handler,
    LabelServer,
)

EVIL = ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "169.254.169.254", "", "[::1]"]


@pytest.fixture
def server(here):
    """Serve the page of two photos, one of which is labelled; beside them lies a secret."""
    for name in ("a.jpg", "b.jpg"):
        draw_photo(here / "image" / name, NUMBER, (300, 200))
    draw_photo(here / "secret.jpg", NUMBER)
    write_annotations(here / "annotations.json", {"image/a.jpg": "TODO", "image/b.jpg": NUMBER})
    book = LabelBook(Path("annotations.json"))
    book.read()
    with LabelServer(book) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def ask(server, place: str, body: object = None, token: str | None = None, **headers: str):
    """Return (status, headers, what was sent) for a place under the token."""
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    token = server.token if token is None else token
    data = None if body is None else json.dumps(body)
    connection.request("GET" if data is None else "POST", f"/{token}/{place}", data, headers)
    reply = connection.getresponse()
    found = reply.status, dict(reply.headers), reply.read()
    connection.close()
    return found


def photos(server) -> list[dict]:
    """Return what the page knows of the photos."""
    return json.loads(ask(server, "photos/")[2])["photos"]


def test_only_this_machine_is_served(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_address[1]}/{server.token}/"


def test_tokens_are_long_and_never_the_same(server):
    with LabelServer(server.book) as other:
        assert other.token != server.token
        assert len(other.token) >= 20


PLACES = ["", "photos/", "photo/{key}", "whole/{key}"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("token", ["", "x", "photos", "{token}x"])
def test_without_the_token_nothing_is_told(place, token, server):
    place = place.format(key=photos(server)[0]["key"])
    assert ask(server, place)[0] == 200
    for wrong in (token.format(token=server.token), server.token[:-1]):
        assert ask(server, place, token=wrong)[::2] == (403, b"")
        assert ask(server, "label", {"key": "x"}, token=wrong)[::2] == (403, b"")


@pytest.mark.parametrize("host", EVIL)
def test_another_name_than_this_machines_is_told_nothing(host, server):
    for place in ("", "photos/"):
        assert ask(server, place, Host=host)[::2] == (403, b"")
    answer = {"key": photos(server)[0]["key"], "number": NUMBER, "unreadable": False, "stamp": ""}
    before = Path("annotations.json").read_bytes()
    assert ask(server, "label", answer, Host=host)[::2] == (403, b"")
    assert Path("annotations.json").read_bytes() == before
    assert ask(server, "", Host="localhost:8000")[0] == 200  # as behind ssh -L 8000:...


@pytest.mark.parametrize(
    "path",
    [
        "secret.jpg",
        "../secret.jpg",
        "..%2fsecret.jpg",
        "image/a.jpg",
        "/etc/passwd",
        "%00",
        "",
        "photo",
    ],
)
def test_a_path_is_no_key_and_gets_nothing(path, server):
    for kind in ("photo", "whole"):
        status, _, data = ask(server, f"{kind}/{path}")
        assert (status, data) == (404, b"")
    assert ask(server, path)[0] in (404, 200 if path == "" else 404)


def test_what_is_no_photo_is_never_sent(server):
    Path("image/a.jpg").write_text("a secret")
    status, _, data = ask(server, f"photo/{photos(server)[0]['key']}")
    assert status == 422
    assert json.loads(data) == {"error": "not an image that Pillow can read"}


def test_the_page_runs_its_own_script_alone_and_asks_nobody_else(server):
    status, headers, page = ask(server, "")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"http://" not in page.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in page
    assert b"src=" not in page
    assert b"/* label_" not in page, "style and script are inside"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"


def test_photos_are_sent_small_and_scaled_once(server):
    draw_photo(Path("image/a.jpg"), NUMBER, (4000, 3000))
    key = photos(server)[0]["key"]
    sizes = {}
    for kind in ("photo", "whole", "photo"):
        status, headers, data = ask(server, f"{kind}/{key}")
        assert (status, headers["X-Size"]) == (200, "4000 3000")
        assert data.startswith(b"\xff\xd8")
        sizes[kind] = len(data)
    assert sizes["photo"] < sizes["whole"]
    assert server.kept.cache_info()[:3] == (1, 1, SCALED_KEPT)
    draw_photo(Path("image/a.jpg"), NUMBER, (40, 30))
    os.utime("image/a.jpg", (1, 1))
    assert ask(server, f"photo/{key}")[1]["X-Size"] == "40 30"


def test_the_list_is_sent_only_when_it_is_news(server):
    version = json.loads(ask(server, "photos/")[2])["version"]
    assert ask(server, f"photos/{version}")[::2] == (204, b"")
    write_annotations(Path("annotations.json"), {"image/b.jpg": "TODO"})
    status, _, data = ask(server, f"photos/{version}")
    assert status == 200
    assert [photo["name"] for photo in json.loads(data)["photos"]] == ["image/b.jpg"]


@pytest.mark.parametrize("body", [None, [], {}, {"key": 1}, "x"])
def test_an_answer_that_no_page_sends_changes_nothing(body, server):
    before = Path("annotations.json").read_bytes()
    assert ask(server, "label", body)[0] in (400, 404)
    assert ask(server, "label", "x" * LARGEST_ANSWER)[0] == 404
    assert Path("annotations.json").read_bytes() == before
    assert ask(server, "photos/")[0] == 200


def test_a_label_that_cannot_be_taught_is_refused_in_words(server):
    photo = photos(server)[0]
    answer = {"key": photo["key"], "stamp": photo["stamp"], "number": "--", "unreadable": False}
    status, _, data = ask(server, "label", answer)
    assert status == 422
    assert "cannot be a number (4 letters and 6 or 7 digits)" in json.loads(data)["error"]


def test_noise_on_the_line_is_no_traceback(server, capfd):
    for noise in (b"\x00\xff\r\n\r\n", b"GET http://[ HTTP/1.1\r\nHost: [\r\n\r\n", b"POST / "):
        with socket.create_connection(server.server_address, timeout=10) as line:
            line.sendall(noise)
            line.shutdown(socket.SHUT_WR)
            line.recv(1000)
    assert ask(server, "")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_one_line(server):
    port = server.server_address[1]
    with pytest.raises(FlagError, match=f"port {port}: Address already in use; leave it out"):
        LabelServer(server.book, port)


def test_a_body_that_stalls_or_a_length_without_end_is_no_traceback(server, capfd, monkeypatch):
    monkeypatch.setattr(Handler, "timeout", 0.2)
    head = f"POST /{server.token}/label HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    for length, status in (("99", b"408"), (5000 * "9", b"404")):
        with socket.create_connection(server.server_address, timeout=10) as line:
            line.sendall(f"{head}{length}\r\n\r\n{{".encode())
            assert line.recv(1000).split()[1] == status
            while line.recv(1000):
                pass
    assert ask(server, "")[0] == 200
    assert capfd.readouterr().err == ""


def test_silent_connections_do_not_keep_the_page_from_those_that_ask(server):
    lines = [socket.create_connection(server.server_address, timeout=10) for _ in range(66)]
    assert ask(server, "")[0] == 200
    assert len(server.connections) <= MOST_CONNECTIONS
    for line in lines:
        line.close()


def test_a_photo_that_is_replaced_is_sent_again_though_its_time_is_the_same(server):
    key = photos(server)[0]["key"]
    was = os.stat("image/a.jpg").st_mtime_ns
    _, before, _ = ask(server, f"photo/{key}")
    assert ask(server, f"photo/{key}", **{"If-None-Match": before["ETag"]})[::2] == (304, b"")
    draw_photo(Path("image/a.jpg"), OTHER, (40, 30))
    os.utime("image/a.jpg", ns=(was, was))
    status, after, _ = ask(server, f"photo/{key}", **{"If-None-Match": before["ETag"]})
    assert (status, after["X-Size"]) == (200, "40 30")


def test_what_is_no_json_in_a_suggestion_is_said_and_sent_to_no_page(server):
    path = Path("annotations.json")
    entry = json.loads(path.read_text())["images"][0]
    seen = {"status": "ok", "container_number": NUMBER, "confidence": 0.5}
    path.write_text(json.dumps({"images": [entry | {"suggestion": seen | {"made_by": math.nan}}]}))
    status, _, data = ask(server, "photos/")
    assert status == 422
    assert "NaN is too large or no number" in json.loads(data)["error"]
    path.write_text(json.dumps({"images": [entry | {"suggestion": seen | {"made_by": [1]}}]}))
    assert photos(server)[0]["suggestion"]["made_by"] == "[1]"


def test_answers_that_are_lost_are_counted_for_the_page_and_saved_again_by_it_alone(server):
    photo, older = photos(server)[0], Path("annotations.json").read_bytes()
    answer = {"key": photo["key"], "stamp": photo["stamp"], "number": OTHER, "unreadable": False}
    assert ask(server, "label", answer)[0] == 200
    Path("annotations.json").write_bytes(older)
    assert json.loads(ask(server, "photos/")[2])["lost"] == 1
    assert ask(server, "again", {}, token="x")[::2] == (403, b"")
    assert Path("annotations.json").read_bytes() == older
    assert json.loads(ask(server, "again", {})[2]) == {"saved": 1}
    assert photos(server)[0]["number"] == OTHER
    assert json.loads(ask(server, "photos/")[2])["lost"] == 0


def test_what_is_saved_just_after_an_answer_is_asked_for_by_the_page(server, monkeypatch):
    photo, older = photos(server)[0], Path("annotations.json").read_bytes()
    change = LabelBook.change

    def change_and_undo(self, edit):
        change(self, edit)
        Path("annotations.json").write_bytes(older)

    monkeypatch.setattr(LabelBook, "change", change_and_undo)
    answer = {"key": photo["key"], "stamp": photo["stamp"], "number": OTHER, "unreadable": False}
    version = json.loads(ask(server, "label", answer)[2])["version"]
    assert json.loads(ask(server, f"photos/{version}")[2])["lost"] == 1
