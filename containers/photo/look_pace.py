"""How far a search for numbers is, in photos and looks, and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence

from containers.basis.pace import LONG_SECONDS, WARMED_UP, Pace, duration
from containers.basis.talk import counted, log
from containers.photo.looks import Search

FEW_LOOKS = 4  # all of them at the whole photo, and nearer


ENOUGH_ENDED = 10  # photos, which tell better than the first looks how long all will take


class LookPace(Pace):
    """Count photos and the looks at them; say after the first ones how long all will take."""

    foretells = False  # by looks instead

    def __init__(self, *, title: str, total: int):
        self.looks, self.seconds = 0, 0.0
        self.begun, self.sure = 0, 0  # photos looked at, and those of which one look was enough
        super().__init__(title=title, total=total)

    @property
    def format_dict(self) -> dict[str, object]:
        """Return what the line shows; before the first photo ends, the pace is that of looks."""
        shown = super().format_dict
        count = f"{self.n:,} of {counted(self.total, 'photo')}, {counted(self.looks, 'look')}"
        if not self.n and self.seconds:
            shown["pace"] = f"{60 * self.looks / self.seconds:.1f} looks a minute"
        return shown | {"count": count}

    def look(self, searches: Sequence[Search], seconds: float) -> None:
        """Take down a batch of looks, and how long it took."""
        self.looks += len(searches)
        self.seconds += seconds
        first = [search for search in searches if len(search.done) == 1]
        self.begun += len(first)
        self.sure += sum(search.is_over for search in first)
        if not self.is_foretold and self.seconds >= WARMED_UP:
            self.is_foretold = True
            self.foretell(max(search.options.looks for search in searches))
        self.update(0)

    def foretell(self, most: int) -> None:
        """Say how long all photos will take, with so many looks at most and with fewer, if long."""
        a_look, unsure = self.seconds / self.looks, 1 - self.sure / self.begun

        def time_with(looks: int) -> float:
            return self.total * a_look * (1 + unsure * (looks - 1))

        if self.n >= ENOUGH_ENDED:
            if (time := self.total * self.seconds / self.n) >= LONG_SECONDS:
                log.info(f"{self.desc}: about {duration(time)} for {counted(self.total, 'photo')}")
            return
        if time_with(most) < LONG_SECONDS:
            return
        less = FEW_LOOKS if most > FEW_LOOKS else 1
        other = f"; §looks {less}: about {duration(time_with(less))}" if less < most else ""
        photos, looks = counted(self.total, "photo"), counted(most, "look")
        log.info(
            f"{self.desc}: about {duration(time_with(most))} for {photos}, with up to {looks} of "
            f"{a_look:.1f} s ({self.sure} of the first {self.begun} were sure at once){other}"
        )
