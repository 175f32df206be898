"""Kinds of photos that gates and yards send now and then: what sets each apart, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SMALL_SIZES = (
    (400, 250), (480, 360), (500, 375), (640, 360), (640, 480), (640, 640), (416, 416), (600, 600),
    (360, 480), (313, 235),
)  # fmt: skip
SALES = (
    (500, 375), (640, 480), (640, 640), (600, 600), (500, 500), (750, 500), (750, 750), (1000, 667),
    (1024, 683), (1000, 1000), (1200, 900), (1920, 1280),
)  # fmt: skip
SCANS = (
    (640, 640), (640, 640), (800, 640), (1200, 500), (1600, 640), (2048, 512), (2400, 600),
    (512, 1600), (640, 1400),
)  # fmt: skip
CROPS = (  # what a detector cuts out of a photo round the number
    (320, 160), (240, 120), (400, 180), (160, 160), (200, 240), (120, 160), (480, 240), (300, 300),
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What sets a kind of photo apart; what is not set is drawn as for any other."""

    layouts: tuple[str, ...] = ()  # of the number, one of them
    on: str = ""  # the face that it stands on: door, roof
    lift: tuple[float, float] | None = None  # degrees above level from which the camera looks
    aside: tuple[float, float] | None = None  # degrees from straight before it, on either side
    roll: float = 0.0  # degrees that the camera is turned: at -90 rows run down the photo
    zoom: float = 1.0  # how large numbers look, compared with other photos
    sizes: tuple[tuple[int, int], ...] = ()  # of the photo in pixels, one of them
    repair: str = ""  # patch: letters on stickers or new paint; repaint: some are not like others
    apart: tuple[float, float] | None = None  # more room before the check digit, in capitals
    crowded: bool = False  # containers close by show other numbers, smaller or cut by the edge
    captioned: bool = False  # the camera writes on its photos
    studio: bool = False  # cut out on white
    squared: bool = False  # stretched to a square, as data sets are exported
    deep: bool = False  # ribs move letters up and down
    slant: tuple[float, float] | None = None  # degrees that the camera is turned to either side
    scanned: bool = False  # line by line, while the train passes
    resaved: bool = False  # saved as JPEG again, in another size
    near: tuple[float, float] | None = None  # share of the photo's width that the number takes
    soft: bool = False  # enlarged from few pixels
    grey: bool = False  # without colour, and with little contrast
    worn: bool = False  # the number's paint has come off in places
    foreign: bool = False  # letters and colours that no training shows
    bend: tuple[float, float] | None = None  # of the lens: camera.py


PLAIN = Kind()
KINDS = {
    "plain": PLAIN,
    "split": Kind(("split",), on="door"),  # the serial on both sides of a locking bar
    "stack": Kind(("three-line", "four-line")),
    "lying": Kind(("horizontal", "horizontal", "two-line"), roll=-90.0),
    "roof": Kind(("horizontal", "horizontal", "two-line"), on="roof", lift=(35.0, 82.0)),
    "lane": Kind(lift=(35.0, 68.0)),  # a camera high over a gate's lane
    "patch": Kind(repair="patch"),
    "repaint": Kind(repair="repaint"),
    "neighbours": Kind(zoom=0.5, crowded=True),
    "caption": Kind(captioned=True),
    "apart": Kind(("beyond", "beyond", "horizontal", "two-line", "vertical"), apart=(1.0, 4.0)),
    "cutout": Kind(
        ("horizontal",), "door", (-3.0, 20.0), (5.0, 50.0), zoom=0.55, sizes=SALES, studio=True,
        resaved=True,
    ),
    "small": Kind(zoom=0.7, sizes=SMALL_SIZES, resaved=True),
    "square": Kind(squared=True),
    "linescan": Kind(("horizontal", "horizontal", "two-line"), sizes=SCANS, scanned=True),
    "ribs": Kind(
        ("horizontal", "horizontal", "two-line"), on="left", aside=(20.0, 62.0), deep=True
    ),
    "slant": Kind(("vertical",), slant=(8.0, 60.0)),
    "crop": Kind(
        ("horizontal", "horizontal", "two-line", "three-line", "vertical"), slant=(0.0, 12.0),
        sizes=CROPS, squared=True, near=(0.45, 0.9), soft=True, grey=True, resaved=True,
    ),
    "worn": Kind(worn=True),
    "depot": Kind(foreign=True, bend=(0.4, 0.45)),
}  # fmt: skip
SHARES = {  # of the yards that training shows; what is not here is kept from it
    "plain": 0.17, "split": 0.06, "stack": 0.05, "lying": 0.06, "roof": 0.05, "lane": 0.05,
    "patch": 0.04, "repaint": 0.03, "neighbours": 0.05, "caption": 0.03, "apart": 0.05,
    "cutout": 0.04, "small": 0.06, "square": 0.04, "linescan": 0.08, "ribs": 0.02,
    "slant": 0.05, "crop": 0.05, "worn": 0.02,
}  # fmt: skip


def draw_kind(rng: np.random.Generator) -> Kind:
    """Return a kind, each as often as training shows it."""
    return KINDS[str(rng.choice(list(SHARES), p=list(SHARES.values())))]
