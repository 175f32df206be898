"""Yards: a container with its visible faces, neighbours, ground, sky, clutter, and what a camera
sees of them through a window of its photo.

Only the window that is asked for is rendered, in the resolution that is asked for; its mapping goes
from the window over the photo and the lens straight to each panel.
"""  # noqa: D205

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np
import walls
from camera import NEAREST, Camera, Window, aim
from letters import Line
from panels import WIDTH, Coat, Panel, clouds_bank, random_coat

FACES = {  # corner, right and down in the box's own width, height and length; outward normal
    "near": ((0, 1, 0), (1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "far": ((1, 1, 1), (-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "right": ((1, 1, 0), (0, 0, 1), (0, -1, 0), (1, 0, 0)),
    "left": ((0, 1, 1), (0, 0, -1), (0, -1, 0), (-1, 0, 0)),
    "roof": ((0, 1, 1), (1, 0, 0), (0, 0, -1), (0, 1, 0)),
}
PHOTO_SIZES = (
    (1920, 1080), (1920, 1080), (1280, 720), (960, 540), (640, 480), (1024, 768), (1600, 1200),
    (1440, 1920), (1080, 1920), (768, 1024), (2560, 1440), (900, 900), (720, 1280),
)  # fmt: skip
PALETTE = 40  # panels of each kind that stand for neighbours
NEIGHBOURS = 2**32 + 7  # their seed


@dataclass(frozen=True)
class Face:
    """A panel in the world: its upper left corner, one pixel right, one pixel down."""

    panel: Panel
    corner: np.ndarray
    right: np.ndarray
    down: np.ndarray
    normal: np.ndarray

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the points of the world under pixels of the panel, [n, 3]."""
        return self.corner + np.multiply.outer(x, self.right) + np.multiply.outer(y, self.down)

    def corners(self) -> np.ndarray:
        """Return the four corners in the world."""
        height, width = self.panel.texture.shape[:2]
        return self.at(np.array((0, width, width, 0.0)), np.array((0, 0, height, height * 1.0)))

    def edge(self) -> np.ndarray:
        """Return points along its edge in the world."""
        corners = self.corners()
        way = np.roll(corners, -1, 0) - corners
        return np.concatenate([corners + step * way for step in (0, 0.25, 0.5, 0.75)])

    def faces(self, place: np.ndarray) -> bool:
        """Return whether somebody who stands there sees this face."""
        return float((place - self.corner) @ self.normal) > 50


@dataclass
class Box:
    """A container, or another box, in the world: lower corner of its near end, and its sides."""

    corner: np.ndarray
    sides: np.ndarray  # width, height, length
    panels: dict[str, Panel] = field(default_factory=dict)

    def faces(self) -> list[Face]:
        """Return its painted faces."""
        result = []
        for name, panel in self.panels.items():
            corner, right, down, normal = (np.array(part, float) for part in FACES[name])
            height, width = panel.texture.shape[:2]
            result.append(
                Face(
                    panel,
                    self.corner + corner * self.sides,
                    right * (abs(right) @ self.sides) / width,
                    down * (abs(down) @ self.sides) / height,
                    normal,
                )
            )
        return result

    def hides(self, place: np.ndarray, points: np.ndarray) -> bool:
        """Return whether the box stands between a place and any of the points (slab test)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            low = (self.corner - place) / (points - place)
            high = (self.corner + self.sides - place) / (points - place)
        enter = np.minimum(low, high).max(1)
        leave = np.maximum(low, high).min(1)
        return bool(np.any((enter < leave) & (enter < 0.999) & (leave > 0)))


@dataclass(frozen=True)
class Seen:
    """A line as the camera sees it: pixels of the photo, each letter's width and height arms."""

    line: Line
    centres: np.ndarray  # [letters, 2]
    rights: np.ndarray  # [letters, 2]: from the letter's left to its right
    downs: np.ndarray
    facing: float  # 1: the camera looks straight at it

    @property
    def pitch(self) -> float:
        """Return the median size of the letters, in pixels of the photo."""
        return float(np.median(np.minimum(lengths(self.downs), 1.6 * lengths(self.rights))))


def lengths(arms: np.ndarray) -> np.ndarray:
    """Return the length of each of the vectors [n, 2]."""
    return np.hypot(arms[:, 0], arms[:, 1])


@lru_cache(maxsize=256)
def neighbour_panel(kind: str, index: int) -> Panel:
    """Return a face of some other container, in half the resolution."""
    rng = np.random.default_rng([NEIGHBOURS, "near side roof plain".split().index(kind), index])
    number = f"{''.join(rng.choice(list('ABCDEFGHKLMNPRST'), 3))}U {rng.integers(10**6):06d} 0"
    coat = random_coat(rng, number)
    layout = str(rng.choice(("horizontal", "two-line", "vertical")))
    if kind == "near":
        panel = walls.door_end(rng, coat, "horizontal") if rng.random() < 0.6 else (
            walls.front_end(rng, coat, layout))  # fmt: skip
    elif kind == "roof":
        panel = walls.roof(rng, coat, numbered=False)
    elif kind == "side":
        panel = walls.side(rng, replace(coat, length=6058), layout)
    else:
        texture = np.full((8, 8, 3), 255 * rng.random(3) * rng.uniform(0.2, 1), np.uint8)
        return Panel(texture, 0.01)
    return Panel(panel.levels[1], panel.scale / 2)


def boxes_behind(rng: np.random.Generator, main: Box, height: float) -> list[Box]:
    """Return containers round the main one: beside, above, below, behind, and rows far away."""
    boxes, gap = [], rng.uniform(60, 700)
    wide, tall = WIDTH + gap, height + 10
    length = main.sides[2]
    places = []
    if rng.random() < 0.5 or main.corner[1] > 2000:  # a stack
        for column in range(-2, 3):
            for row in range(-2, 3):
                if (column or row) and rng.random() < (0.6 if column or row > 0 else 1.0):
                    places.append((column * wide, row * tall, rng.normal(0, 40)))
    if rng.random() < 0.5:
        places.append((rng.uniform(-1, 1) * 300, 0, length + rng.uniform(200, 2000)))
    for _ in range(rng.integers(0, 7)):  # far away
        places.append((rng.uniform(-3, 3) * 1e4, rng.choice((0, 0, 1, 2)) * 2600, rng.uniform(-2, 4) * 1e4))
    for off in places:
        corner = main.corner + np.array(off)
        if off[2] > length or abs(off[0]) > 3 * wide:
            corner[1] = off[1]
        if corner[1] < 0:
            continue
        index = int(rng.integers(PALETTE))
        ends, sides = neighbour_panel("near", index), neighbour_panel("side", index)
        box = Box(corner, np.array((WIDTH, height, rng.choice((6058, 12192)))))
        box.panels = {"near": ends, "far": ends, "left": sides, "right": sides,
                      "roof": neighbour_panel("roof", index)}  # fmt: skip
        boxes.append(box)
    return boxes


def vehicle(rng: np.random.Generator, main: Box) -> list[Box]:
    """Return a chassis under the container, wheels and a cab behind or before it."""
    plain = [neighbour_panel("plain", int(i)) for i in rng.integers(0, PALETTE, 3)]
    dark = Panel(np.full((4, 4, 3), 25, np.uint8), 0.01)
    floor, length = main.corner[1], main.sides[2]
    parts = [((0, floor - 250, 0), (WIDTH, 240, length), dark if rng.random() < 0.6 else plain[0])]
    for z in rng.uniform(0, length, 3):
        parts += [((x, 0, z), (350, 1000, 1000), dark) for x in (0, WIDTH - 350)]
    z = length + rng.uniform(400, 900) if rng.random() < 0.7 else -3000.0
    parts.append(((0, 700, z), (WIDTH, rng.uniform(2000, 2900), 2100), plain[1]))
    boxes = []
    for corner, sides, panel in parts:
        box = Box(main.corner * (1, 0, 1) + np.array(corner, float), np.array(sides, float))
        box.panels = dict.fromkeys(FACES, panel)
        boxes.append(box)
    return boxes


@dataclass
class Scene:
    """What a camera looks at."""

    camera: Camera
    main: Box
    others: list[Box]
    ground: np.ndarray
    sky: tuple[np.ndarray, np.ndarray]
    tile: int
    lines: list[tuple[np.ndarray, np.ndarray, tuple, int]]  # poles, cables: pixels of the photo
    shades: dict[str, float]  # light on each side of every box
    target: str  # the face that the camera is turned to: near, left

    def seen_lines(self) -> list[Seen]:
        """Return all lines on the main container that face the camera, those before it."""
        result = []
        for face in self.main.faces():
            if face.faces(self.camera.place):
                result += lines_of(face, self.camera)
        return result

    def render(self, window: Window, columns: int, rows: int) -> np.ndarray:
        """Return what is seen through the window, uint8 [rows, columns, 3]."""
        x, y = window.grid(columns, rows)
        flat = self.camera.straighten(x, y)
        full = [name for name, face in zip(self.main.panels, self.main.faces(), strict=True)
                if face.faces(self.camera.place) and self.fills(face, flat)]  # fmt: skip
        if full:
            only = replace(self.main, panels={full[0]: self.main.panels[full[0]]})
            everything, canvas = [only], np.zeros((rows, columns, 3), np.uint8)
        else:
            everything, canvas = self.from_far_to_near(), self.backdrop(flat)
        for box in everything:
            for face, name in zip(box.faces(), box.panels, strict=True):
                if face.faces(self.camera.place):
                    self.draw(canvas, face, flat, window, self.shades[name])
        for start, end, colour, thick in self.lines:
            a, b = (window.shares(p[None])[0] * (columns, rows) for p in (start, end))
            size = max(1, round(thick * columns / window.width))
            if max(abs(a).max(), abs(b).max()) < 2e4:
                cv2.line(canvas, tuple(map(int, a)), tuple(map(int, b)), colour, size, cv2.LINE_AA)
        return canvas

    def from_far_to_near(self) -> list[Box]:
        """Return all boxes, the nearest last."""
        place = self.camera.place
        return sorted(
            [*self.others, self.main],
            key=lambda box: -np.linalg.norm(
                np.clip(place, box.corner, box.corner + box.sides) - place
            ),
        )

    def fills(self, face: Face, flat: tuple[np.ndarray, np.ndarray]) -> bool:
        """Return whether a face is all that is seen."""
        u, v = (part[:: len(part) - 1, :: part.shape[1] - 1] for part in np.broadcast_arrays(*flat))
        matrix = self.camera.plane(face.corner, face.right, face.down)
        x, y, w = np.tensordot(matrix, np.stack([u, v, np.ones_like(u)]), 1)
        height, width = face.panel.texture.shape[:2]
        w = np.where(w > 1e-9, w, np.nan)
        return bool(np.all((x / w > 0) & (x / w < width) & (y / w > 0) & (y / w < height)))

    def draw(
        self, canvas: np.ndarray, face: Face, flat: tuple, window: Window, shade: float
    ) -> None:
        """Draw a face into the canvas."""
        rows, columns = canvas.shape[:2]
        pixels, depth = self.camera.project(face.edge())
        if depth.max() < NEAREST:
            return
        x0, y0, x1, y1 = 0, 0, columns, rows
        if depth.min() > NEAREST:
            places = window.shares(pixels) * (columns, rows)
            low, high = places.min(0), places.max(0)
            rim = 2 + (0.05 * (high - low) if self.camera.bend else 0)
            x0, y0 = np.clip(np.floor(low - rim), 0, (columns, rows)).astype(int)
            x1, y1 = np.clip(np.ceil(high + rim), 0, (columns, rows)).astype(int)
            if x1 - x0 < 1 or y1 - y0 < 1:
                return
        u, v = (part[y0:y1, x0:x1] for part in np.broadcast_arrays(*flat))
        m = self.camera.plane(face.corner, face.right, face.down).astype(np.float32)
        w = m[2, 0] * u + m[2, 1] * v + m[2, 2]
        before = w > 1e-9
        w = np.where(before, w, 1)
        px = (m[0, 0] * u + m[0, 1] * v + m[0, 2]) / w
        py = (m[1, 0] * u + m[1, 1] * v + m[1, 2]) / w
        height, width = face.panel.texture.shape[:2]
        inside = before & (px > -1) & (py > -1) & (px < width + 1) & (py < height + 1)
        count = int(inside.sum())
        if count < 2:
            return
        level = level_of(px, py, inside, count, len(face.panel.levels))
        texture = face.panel.levels[level]
        zoom_x, zoom_y = texture.shape[1] / width, texture.shape[0] / height
        px = np.where(inside, px * np.float32(zoom_x) - 0.5, -9).astype(np.float32)
        py = np.where(inside, py * np.float32(zoom_y) - 0.5, -9).astype(np.float32)
        part = cv2.remap(texture, px, py, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if shade != 1:
            part = cv2.convertScaleAbs(part, alpha=shade)
        target = canvas[y0:y1, x0:x1]
        np.copyto(target, part, where=inside[..., None])

    def backdrop(self, flat: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Return sky and ground, uint8 [rows, columns, 3]."""
        u, v = np.broadcast_arrays(*flat)
        rows, columns = u.shape
        u, v = u[::4, ::4], v[::4, ::4]
        axes, focal = self.camera.axes, self.camera.focal
        ways = [axes[0, i] * u + axes[1, i] * v + axes[2, i] * focal for i in range(3)]
        rise = ways[1] / np.sqrt(ways[0] ** 2 + ways[1] ** 2 + ways[2] ** 2)
        share = np.clip(rise * 2, 0, 1)[..., None]
        sky = self.sky[0] * (1 - share) + self.sky[1] * share
        far = self.camera.place[1] / np.maximum(-rise, 1e-3) / np.maximum(np.hypot(ways[0], ways[2]), 1)
        tile = clouds_bank()[self.tile]
        i = (np.clip(ways[0] * far / 40, -1e6, 1e6).astype(int)) & 255
        j = (np.clip(ways[2] * far / 40, -1e6, 1e6).astype(int)) & 255
        ground = self.ground * (0.7 + 0.6 * tile[j, i][..., None].astype(np.float32) / 255)
        small = np.clip(np.where(rise[..., None] > 0, sky, ground), 0, 255).astype(np.uint8)
        return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)


def level_of(px: np.ndarray, py: np.ndarray, inside: np.ndarray, count: int, most: int) -> int:
    """Return the level of a texture whose pixels are about as large as the window's."""
    rows, columns = px.shape
    if rows < 3 or columns < 3:
        return min(most - 1, 3)
    y, x = np.nonzero(inside[:-1:4, :-1:4])
    if not len(y):
        return min(most - 1, 3)
    some = np.linspace(0, len(y) - 1, 12).astype(int)
    y, x = 4 * y[some], 4 * x[some]
    step = abs((px[y, x + 1] - px[y, x]) * (py[y + 1, x] - py[y, x])
               - (px[y + 1, x] - px[y, x]) * (py[y, x + 1] - py[y, x]))  # fmt: skip
    step = np.percentile(step, 25)
    return int(np.clip(np.floor(0.5 * np.log2(max(step, 1)) + 0.3), 0, most - 1))


def lines_of(face: Face, camera: Camera) -> list[Seen]:
    """Return the lines of a face as the camera sees them; none that is behind it."""
    result = []
    toward = camera.place - face.corners().mean(0)
    facing = float(toward @ face.normal / np.linalg.norm(toward))
    for line in face.panel.lines:
        x, y = (np.array([getattr(c, name) for c in line.letters]) for name in "xy")
        wide, high = (np.array([getattr(c, name) for c in line.letters]) / 2
                      for name in ("width", "height"))  # fmt: skip
        points = [(x, y), (x - wide, y), (x + wide, y), (x, y - high), (x, y + high)]
        pixels, depths = zip(*(camera.project(face.at(*point)) for point in points), strict=True)
        if min(map(np.min, depths)) > 2 * NEAREST:
            result.append(
                Seen(line, pixels[0], pixels[2] - pixels[1], pixels[4] - pixels[3], facing)
            )
    return result


def paint_face(
    rng: np.random.Generator, coat: Coat, name: str, layout: str, on: str = ""
) -> Panel:
    """Return a face of the main container with the number in this layout; on: door or front."""
    if name == "roof":
        return walls.roof(rng, coat, numbered=True)
    if name in ("left", "right"):
        return walls.side(rng, coat, layout)
    if on == "door":
        return walls.door_end(rng, coat, layout)
    return walls.front_end(rng, coat, layout)


def paint_others(rng: np.random.Generator, coat: Coat, main: Box, place: np.ndarray) -> None:
    """Paint the other faces that are seen from a place; most carry the number too."""
    bare = replace(coat, number="")
    for name in FACES:
        draw = np.random.default_rng(rng.integers(2**31))
        hidden = Box(main.corner, main.sides, {name: neighbour_panel("plain", 0)}).faces()[0]
        if name in main.panels or not hidden.faces(place):
            continue
        layout = str(draw.choice(("horizontal", "two-line", "three-line", "vertical", "vertical")))
        door = name in ("near", "far") and draw.random() < 0.6
        own = coat if draw.random() < (0.3 if name == "roof" else 0.75) else bare
        on = "door" if door else "front"
        main.panels[name] = paint_face(draw, own, name, "horizontal" if door else layout, on)


def choose_face(rng: np.random.Generator, layout: str) -> tuple[str, str]:
    """Return on which face a number of this layout stands, and whether that end is a door."""
    kind = rng.random()
    if layout == "horizontal":
        if kind < 0.6:
            return "near", "door"
        if kind < 0.68:
            return "roof", ""
        return ("near", "front") if kind < 0.76 else (str(rng.choice(("left", "right"))), "")
    if layout != "vertical" and kind < 0.12:
        return "near", "door"
    return ("near", "front") if kind < 0.45 else (str(rng.choice(("left", "right"))), "")


def new_camera(
    rng: np.random.Generator, face: Face, size: tuple[int, int], share: float
) -> Camera:
    """Return a camera that sees the face's number about so large: a share of the photo's width."""
    width, height = size
    number = face.panel.number
    if number is not None:
        points = np.array([(c.x, c.y) for c in number.letters])
    else:
        tall, wide = face.panel.texture.shape[:2]
        points = np.array([(wide * 0.75, tall * 0.2), (wide * 0.95, tall * 0.25)])
    middle = (points.min(0) + points.max(0)) / 2
    spread = np.ptp(points, 0) / face.panel.scale
    span = max(spread[0], spread[1] * width / height, 300.0)
    at = face.at(middle[:1], middle[1:])[0]
    view = np.deg2rad(rng.uniform(25, 95)) if rng.random() < 0.7 else np.deg2rad(rng.uniform(50, 75))
    focal = width / 2 / np.tan(view / 2) * (1 if width > height else 1.5)
    kind = rng.random()
    lift = rng.normal(0, 7) if kind < 0.35 else rng.uniform(4, 45) if kind < 0.7 else -rng.uniform(4, 38)
    aside = np.clip(rng.normal(0, 26), -66, 66)
    if rng.random() < 0.2:
        aside = rng.uniform(40, 70) * rng.choice((-1, 1))
    if face.normal[1] > 0.5:  # a roof: from before it
        lift, normal, up = rng.uniform(18, 60), np.array((0.0, 0, -1)), np.array((0.0, 1, 0))
    else:
        normal, up = face.normal, np.array((0.0, 1, 0))
    right = face.right / np.linalg.norm(face.right)
    lift, aside = np.deg2rad((lift, aside))
    way = np.cos(lift) * (np.cos(aside) * normal + np.sin(aside) * right) + np.sin(lift) * up
    distance = max(focal * span / (share * width), 700.0)
    place = at + way * distance
    place[1] = max(place[1], 300.0)
    pixel = width * rng.uniform(0.15, 0.85), height * rng.uniform(0.12, 0.8)
    roll = np.deg2rad(rng.normal(0, 2.5) if rng.random() < 0.85 else rng.normal(0, 12))
    bend = 0.0
    if rng.random() < 0.45:
        bend = rng.uniform(0.01, 0.12) if rng.random() < 0.7 else rng.uniform(0.12, 0.4)
    return aim(place, at, pixel, size, focal, roll, bend)


def new_scene(rng: np.random.Generator, coat: Coat, layout: str, share: float) -> Scene:
    """Return a yard with this container; share: of the photo's width, the number's."""
    target, on = choose_face(rng, layout)
    floor = float(rng.choice((0, 0, 0, 1250, 1400, coat.height, coat.height, 2 * coat.height)))
    corner = np.array((-WIDTH / 2, floor, 0.0))
    main = Box(corner, np.array((WIDTH, coat.height, coat.length), float))
    main.panels[target] = paint_face(rng, coat, target, layout, on)
    face = main.faces()[0]
    for attempt in range(30):
        size = PHOTO_SIZES[rng.integers(len(PHOTO_SIZES))]
        camera = new_camera(rng, face, size, share * 0.97**attempt)
        seen = [line for line in lines_of(face, camera) if line.line.is_number]
        if not coat.number or (face.faces(camera.place) and seen and in_frame(seen[0], size)):
            break
    paint_others(rng, coat, main, camera.place)
    others = boxes_behind(rng, main, float(coat.height))
    if 1000 < main.corner[1] < 1500:
        others += vehicle(rng, main)
    targets = face.corners()
    if seen:
        c = face.panel.number
        targets = face.at(*np.array([(p.x, p.y) for p in c.letters]).T)
    others = [box for box in others if not box.hides(camera.place, targets)]
    others = [box for box in others if not contains(box, camera.place)]
    if seen:
        others = [box for box in others if largest_number(box, camera) < 0.6 * seen[0].pitch]
    grey = rng.uniform(60, 190)
    return Scene(
        camera,
        main,
        others,
        grey * (1 + rng.normal(0, 0.03, 3)),
        (np.array((215, 222, 230)) * rng.uniform(0.3, 1.15), np.array((120, 165, 220)) * rng.uniform(0.2, 1.2)),
        int(rng.integers(6)),
        stray_lines(rng, size, seen[0].centres if seen else np.zeros((1, 2)), seen[0].pitch if seen else 9),
        {name: float(rng.uniform(0.55, 1.1)) if rng.random() < 0.6 else 1.0 for name in FACES},
        target,
    )


def largest_number(box: Box, camera: Camera) -> float:
    """Return how large the letters of a number on a box look, where they are on the photo."""
    sizes = [0.0]
    for face in box.faces():
        if face.panel.number is not None and face.faces(camera.place):
            for seen in lines_of(face, camera):
                on = np.all((seen.centres > 0) & (seen.centres < np.array(camera.size)), 1)
                if seen.line.is_number and on.sum() > 3:
                    sizes.append(seen.pitch)
    return max(sizes)


def contains(box: Box, place: np.ndarray) -> bool:
    """Return whether a place is inside a box, or nearly."""
    return bool(np.all(place > box.corner - 300) and np.all(place < box.corner + box.sides + 300))


def in_frame(seen: Seen, size: tuple[int, int]) -> bool:
    """Return whether all of the letters are well on the photo."""
    margin = 0.7 * np.maximum(lengths(seen.downs), lengths(seen.rights)).max()
    low, high = seen.centres.min(0) - margin, seen.centres.max(0) + margin
    return bool(np.all(low > 0) and np.all(high < np.array(size)))


def stray_lines(
    rng: np.random.Generator, size: tuple[int, int], letters: np.ndarray, pitch: float
) -> list[tuple[np.ndarray, np.ndarray, tuple, int]]:
    """Return poles and cables before the container, none of them over the number."""
    lines = []
    if rng.random() < 0.6:
        return lines
    for _ in range(rng.integers(1, 4)):
        start = rng.random(2) * size
        angle = np.pi / 2 + rng.normal(0, 0.1) if rng.random() < 0.6 else rng.uniform(0, np.pi)
        way = np.array((np.cos(angle), np.sin(angle)))
        thick = max(1, int(rng.uniform(0.002, 0.04) * size[0]))
        off = letters - start
        distance = np.abs(off[:, 0] * way[1] - off[:, 1] * way[0])
        if distance.min() < thick / 2 + 1.5 * pitch:
            continue
        reach = way * 2 * max(size)
        colour = tuple(int(c) for c in rng.uniform(10, 240) * np.clip(1 + rng.normal(0, 0.2, 3), 0, 1.4))
        lines.append((start - reach, start + reach, tuple(min(255, c) for c in colour), thick))
    return lines
