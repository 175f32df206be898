"""Tests of photos that arrive in a folder."""

import os
from pathlib import Path

import pytest
from conftest import draw_photo

from containers.data import arrivals as watching
from containers.data.arrivals import Arrivals
from containers.data.result import Result
from containers.number.reading import Reading


@pytest.fixture
def clock(monkeypatch, here):
    """Return a clock that only sleeping moves, on whose list tasks wait for their time."""

    class Clock:
        now, tasks = 0.0, ()

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds
            assert self.now < 60, "nothing has come"
            due = [task for at, task in self.tasks if at <= self.now]
            self.tasks = [(at, task) for at, task in self.tasks if at > self.now]
            for task in due:
                task()

    clock = Clock()
    monkeypatch.setattr(watching, "time", clock)
    (here / "image").mkdir()
    return clock


def read(image: str, status: str = "ok") -> Result:
    """Return the result of a photo that was read before."""
    return Result(image, Reading(status=status))


def test_a_photo_is_taken_when_it_has_not_changed_for_a_second_and_only_once(clock):
    photo = draw_photo(Path("image/a.jpg"), "")
    Path("image/notes.txt").write_text("no photo")
    Path("image/.hidden.jpg").write_bytes(photo.read_bytes())
    arrivals = Arrivals(Path("image"), [])
    batches = arrivals.batches(5)
    assert next(batches) == ["image/a.jpg"]
    assert 1 <= clock.now <= 1.5
    arrivals.note("image/a.jpg")
    clock.tasks = [(clock.now + 3, lambda: draw_photo(Path("image/deeper/b.jpg"), ""))]
    assert next(batches) == ["image/deeper/b.jpg"]


def test_a_copy_that_stalls_is_waited_for(clock):
    whole = draw_photo(Path("whole.jpg"), "CSQU").read_bytes()
    half = Path("image/a.jpg")
    half.write_bytes(whole[: len(whole) // 2])
    clock.tasks = [(7, lambda: half.write_bytes(whole))]
    assert next(Arrivals(Path("image"), []).batches(1)) == ["image/a.jpg"]
    assert 8 <= clock.now <= 9


def test_what_never_opens_is_taken_in_the_end_and_again_when_it_has_changed(clock):
    bad = Path("image/a.jpg")
    bad.write_text("no photo")
    arrivals = Arrivals(Path("image"), [])
    batches = arrivals.batches(1)
    assert next(batches) == ["image/a.jpg"]
    assert 10 <= clock.now <= 11
    arrivals.note("image/a.jpg")
    clock.tasks = [(30, lambda: draw_photo(bad, ""))]
    assert next(batches) == ["image/a.jpg"]
    assert 31 <= clock.now <= 32


def test_what_was_read_before_is_not_taken_but_what_failed_is(clock):
    for name in "abc":
        draw_photo(Path(f"image/{name}.jpg"), "")
    results = [read("image/a.jpg"), read("image/b.jpg", "error"), read("image/gone.jpg")]
    arrivals = Arrivals(Path("image"), results)
    assert sorted(next(arrivals.batches(9))) == ["image/b.jpg", "image/c.jpg"]


def test_a_name_that_a_camera_uses_again_is_read_again(clock, capsys):
    draw_photo(Path("image/a.jpg"), "yesterday")
    arrivals = Arrivals(Path("image"), [read("image/a.jpg"), read("image/b.jpg")])
    batches = arrivals.batches(1)
    clock.tasks = [(3, lambda: draw_photo(Path("image/a.jpg"), "a longer word today"))]
    assert next(batches) == ["image/a.jpg"]
    arrivals.note("image/a.jpg")
    assert "image/a.jpg had changed since it was read" in capsys.readouterr().err
    clock.tasks = [(clock.now + 3, lambda: draw_photo(Path("image/b.jpg"), "it comes late"))]
    assert next(batches) == ["image/b.jpg"]


def test_what_is_gone_for_a_day_is_forgotten_and_what_a_drive_brings_back_is_not(
    clock, monkeypatch
):
    for name in "ab":
        draw_photo(Path(f"image/{name}.jpg"), "")
    photos = ["image/a.jpg", "image/b.jpg"]
    arrivals = Arrivals(Path("image"), [read(photos[0])], [photos[1]])
    Path("image").rename("drive")
    arrivals.forget_gone()
    Path("drive").rename("image")
    arrivals.forget_gone()
    assert {*arrivals.known} == {*photos}
    Path(photos[0]).unlink()
    monkeypatch.setattr(watching, "A_DAY", 1.0)
    looks = []

    def stop():
        raise TimeoutError

    clock.tasks = [(3, stop)]
    with pytest.raises(TimeoutError):
        next(arrivals.batches(1, lambda: looks.append(clock.now)))
    assert [*arrivals.known] == photos[1:]
    assert len(looks) > 10, "idle, it is told of each look"


def test_the_newest_comes_first_and_what_arrives_meanwhile_comes_before_what_waits(clock):
    for place, name in enumerate("abc"):
        os.utime(draw_photo(Path(f"image/{name}.jpg"), ""), (place, place))
    arrivals, taken = Arrivals(Path("image"), []), []
    for images in arrivals.batches(1):
        taken += images
        arrivals.note(images[0])
        if len(taken) == 1:
            draw_photo(Path("image/new.jpg"), "")
        clock.now += 1.1  # it is being read
        if len(taken) == 4:
            break
    assert taken[0] == "image/c.jpg"
    assert taken.index("image/new.jpg") < 3
    assert taken[-1] == "image/a.jpg"


def test_a_folder_that_goes_away_is_waited_for(clock, capsys):
    draw_photo(Path("image/a.jpg"), "")
    Path("image").rename("gone")
    clock.tasks = [(5, lambda: Path("gone").rename("image"))]
    assert next(Arrivals(Path("image"), []).batches(1)) == ["image/a.jpg"]
    assert capsys.readouterr().err.splitlines() == [
        "image is gone: waiting for it",
        "image is back",
    ]
