"""A scene: boxes, ground and sky before a camera, and what it sees through a window of its photo.

Only the window that is asked for is rendered, in the resolution that is asked for; its mapping goes
from the window over the photo and the lens straight to each panel.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from demo.drawing.boxes import Box, Face, Seen, lines_of
from demo.drawing.camera import NEAREST, Camera, Window
from demo.drawing.canvas import clouds_bank
from demo.drawing.captions import Caption
from demo.drawing.kinds import PLAIN, Kind

RIM = 0.002  # of a face's sides: so much beyond its edge it is drawn, that no gap is left
SHADOW, SHADOW_REACH = 0.55, 180.0  # of a cut-out: how dark, and after how many mm half gone


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
    captions: list[Caption] = field(default_factory=list)
    kind: Kind = PLAIN
    streaks: np.ndarray | None = None  # of a line scan: colours across the photo, behind all

    def seen_lines(self) -> list[Seen]:
        """Return all lines on the main container that face the camera and that no box hides."""
        place, result = self.camera.place, []
        for face in self.main.faces():
            if face.faces(place):
                for seen in lines_of(face, self.camera):
                    points = face.at(*np.array([(c.x, c.y) for c in seen.line.letters]).T)
                    if not any(box.hides(place, points) for box in self.others):
                        result.append(seen)
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
        for caption in self.captions:
            caption.draw(canvas, window)
        return canvas

    def from_far_to_near(self) -> list[Box]:
        """Return all boxes, the nearest last; the main one before what may hide it, at the least.

        The nearest point alone does not tell: that of a long box may be nearer than one before it.
        """
        place = self.camera.place
        others = sorted(
            self.others,
            key=lambda box: (
                -np.linalg.norm(np.clip(place, box.corner, box.corner + box.sides) - place)
            ),
        )
        behind = [box for box in others if self.main.is_before(box, place)]
        before = [box for box in others if not self.main.is_before(box, place)]
        return [*behind, self.main, *before]

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
        x_rim, y_rim = min(1.0, RIM * width), min(1.0, RIM * height)
        inside = before & (px > -x_rim) & (py > -y_rim)
        inside &= (px < width + x_rim) & (py < height + y_rim)
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
        """Return sky and ground, uint8 [rows, columns, 3]; of a line scan its streaks."""
        u, v = np.broadcast_arrays(*flat)
        if self.streaks is not None:
            return self.streaked(self.streaks, u, v)
        rows, columns = u.shape
        u, v = u[::4, ::4], v[::4, ::4]
        axes, focal = self.camera.axes, self.camera.focal
        ways = [axes[0, i] * u + axes[1, i] * v + axes[2, i] * focal for i in range(3)]
        rise = ways[1] / np.sqrt(ways[0] ** 2 + ways[1] ** 2 + ways[2] ** 2)
        share = np.clip(rise * 2, 0, 1)[..., None]
        sky = self.sky[0] * (1 - share) + self.sky[1] * share
        far = (
            self.camera.place[1]
            / np.maximum(-rise, 1e-3)
            / np.maximum(np.hypot(ways[0], ways[2]), 1)
        )
        if self.kind.studio:
            down = self.camera.place[1] / np.maximum(-ways[1], 1e-3)
            light = self.shadow(ways[0] * down, ways[2] * down)
        else:
            tile = clouds_bank()[self.tile]
            i = (np.clip(ways[0] * far / 40, -1e6, 1e6).astype(int)) & 255
            j = (np.clip(ways[2] * far / 40, -1e6, 1e6).astype(int)) & 255
            light = 0.7 + 0.6 * tile[j, i].astype(np.float32) / 255
        ground = self.ground * light[..., None]
        small = np.clip(np.where(rise[..., None] > 0, sky, ground), 0, 255).astype(np.uint8)
        return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR)

    def streaked(self, streaks: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the streaks of a line scan: each runs along the photo's longer side."""
        across = 1 if self.camera.size[0] >= self.camera.size[1] else 0
        share = (u, v)[across] * self.camera.stretch[across] / self.camera.size[across] + 0.5
        at = np.clip(share * len(streaks), 0, len(streaks) - 1)
        return np.clip(streaks, 0, 255).astype(np.uint8)[at.astype(int)]

    def shadow(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the light on the ground that far from the camera: soft shadow at the container."""
        low = self.main.corner[[0, 2]] - self.camera.place[[0, 2]]
        high = low + self.main.sides[[0, 2]]
        off_x = np.maximum(np.maximum(low[0] - x, x - high[0]), 0)
        off_z = np.maximum(np.maximum(low[1] - z, z - high[1]), 0)
        return 1 - SHADOW * np.exp(-np.hypot(off_x, off_z) / SHADOW_REACH)


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
