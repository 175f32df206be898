"""Yards: a container whose visible faces are painted, what stands round it, and a camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from demo.drawing import doors, ends, scans, walls
from demo.drawing.boxes import FACES, Box, Face, Seen, contains, in_frame, largest_number, lines_of
from demo.drawing.camera import Camera
from demo.drawing.captions import draw_captions
from demo.drawing.kinds import PLAIN, Kind
from demo.drawing.panels import WIDTH, Coat, Panel
from demo.drawing.scenes import Scene
from demo.drawing.surroundings import (
    boxes_behind,
    boxes_beside,
    neighbour_panel,
    stray_lines,
    vehicle,
)
from demo.drawing.viewpoints import PHOTO_SIZES, new_camera

LARGEST_OTHER = 0.6  # of the number's letters: those of numbers on other containers
LEAST_WIDE = 80.0  # pixels that a number takes on photos that show all smaller: it can be read
STEP_BACK = 0.93  # until all of a cut-out is on the photo
LARGEST_IN_CROWD = 0.8  # the same where other containers stand close by


def paint_face(rng: np.random.Generator, coat: Coat, name: str, layout: str, on: str = "") -> Panel:
    """Return a face of the main container with the number in this layout; on: door or front."""
    if name == "roof":
        return walls.roof(rng, coat, numbered=True)
    if name in ("left", "right"):
        return walls.side(rng, coat, layout)
    if on == "door":
        return doors.door_end(rng, coat, layout)
    if layout != "vertical" and rng.random() < 0.35:
        return (ends.tank_end if rng.random() < 0.5 else ends.machine_end)(rng, coat, layout)
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


def choose_face(rng: np.random.Generator, layout: str, on: str = "") -> tuple[str, str]:
    """Return on which face a number of this layout stands, and whether that end is a door."""
    if on or layout == "beyond":
        on = on or "door"
        return ("near", on) if on == "door" else (on, "")
    kind = rng.random()
    if layout == "horizontal":
        if kind < 0.68:
            return "near", "door"
        if kind < 0.75:
            return "roof", ""
        return ("near", "front") if kind < 0.83 else (str(rng.choice(("left", "right"))), "")
    if layout != "vertical" and kind < 0.12:
        return "near", "door"
    return ("near", "front") if kind < 0.45 else (str(rng.choice(("left", "right"))), "")


def new_scene(
    rng: np.random.Generator, coat: Coat, layout: str, share: float, kind: Kind = PLAIN
) -> Scene:
    """Return a yard with this container; share: of the photo's width, the number's."""
    if kind.layouts:
        layout = str(rng.choice(kind.layouts))
    target, on = choose_face(rng, layout, kind.on)
    if kind.scanned:
        target, on = ("roof" if rng.random() < 0.55 else "left"), ""
    coat = dress(rng, coat, kind, on)
    floor = float(rng.choice((0, 0, 0, 1250, 1400, coat.height, coat.height, 2 * coat.height)))
    if kind.studio:
        floor = 0.0
    corner = np.array((-WIDTH / 2, floor, 0.0))
    main = Box(corner, np.array((WIDTH, coat.height, coat.length), float))
    main.panels[target] = paint_face(rng, coat, target, layout, on)
    if kind.scanned:
        scans.finish_panel(rng, coat, main.panels[target])
    face, sizes = main.faces()[0], kind.sizes or PHOTO_SIZES
    middle = main.corner + main.sides / 2 if kind.studio else None
    share = rng.uniform(*kind.near) if kind.near else share * kind.zoom
    for attempt in range(30):
        size = sizes[rng.integers(len(sizes))]
        least = LEAST_WIDE / size[0] if kind.zoom < 1 else 0.0
        wanted = max(share * 0.97**attempt, least)
        if kind.scanned:
            camera = scans.scan_camera(rng, face, size, wanted)
        else:
            camera = new_camera(rng, face, size, wanted, kind, middle)
        seen = [line for line in lines_of(face, camera) if line.line.is_number]
        if kind.studio and wanted > least and not is_whole(main, camera):
            share *= STEP_BACK
            continue
        if not coat.number or (face.faces(camera.place) and seen
                               and in_frame(seen[0], camera.size)):  # fmt: skip
            break
    if not kind.scanned:
        paint_others(rng, coat, main, camera.place)
    others = [] if kind.studio else boxes_round(rng, main, target, kind)
    others = [box for box in others if not in_the_way(box, face, camera, seen, kind.crowded)]
    letters, pitch = (seen[0].centres, seen[0].pitch) if seen else (np.zeros((1, 2)), 9.0)
    ground = rng.uniform(60, 190) * (1 + rng.normal(0, 0.03, 3))
    horizon = np.array((215, 222, 230)) * rng.uniform(0.3, 1.15)
    zenith = np.array((120, 165, 220)) * rng.uniform(0.2, 1.2)
    tile = int(rng.integers(6))
    lines = stray_lines(rng, camera.size, letters, pitch)
    shades = {name: float(rng.uniform(0.55, 1.1)) if rng.random() < 0.6 else 1.0 for name in FACES}
    if kind.studio:
        ground, horizon, zenith = studio_light(rng)
        lines = []
    streaks = None
    if kind.scanned:
        lines, streaks = scans.draw_faults(rng, camera.size), scans.draw_streaks(rng)
    captions = draw_captions(rng, camera.size, letters, pitch) if kind.captioned else []
    return Scene(
        camera, main, others, ground, (horizon, zenith), tile, lines, shades, target, captions,
        kind, streaks,
    )  # fmt: skip


def is_whole(box: Box, camera: Camera) -> bool:
    """Return whether all of a box is on the photo."""
    ends = np.stack([box.corner, box.corner + box.sides])
    corners = np.stack(np.meshgrid(*ends.T), -1).reshape(-1, 3)
    pixels, depths = camera.project(corners)
    return bool(depths.min() > 0 and pixels.min() > 0 and np.all(pixels < np.array(camera.size)))


def dress(rng: np.random.Generator, coat: Coat, kind: Kind, on: str) -> Coat:
    """Return the coat of a container that is seen on this kind of photos."""
    if kind.repair:
        coat = replace(coat, repair=kind.repair)
    if kind.apart and on != "door":  # on doors it is the locking bar that stands there
        coat = replace(coat, style=replace(coat.style, apart=rng.uniform(*kind.apart)))
    if kind.deep:
        coat = replace(coat, deep=True)
    if kind.worn:
        coat = replace(coat, age=rng.uniform(0.5, 1), worn=True)
    if kind.scanned:
        coat = scans.dress_for_scan(rng, coat)
    if kind.studio and rng.random() < 0.7:
        coat = replace(coat, length=6058)
    return coat


def studio_light(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ground, horizon and zenith behind a cut-out: mostly white, or a pale colour."""
    white = np.full(3, 255.0 if rng.random() < 0.7 else rng.uniform(200, 250))
    if rng.random() < 0.2:
        white = rng.uniform(120, 250, 3)
    floor = white if rng.random() < 0.7 else white * rng.uniform(0.85, 0.97)
    return floor, white, white if rng.random() < 0.7 else np.clip(white * 0.95 + 5, 0, 255)


def boxes_round(rng: np.random.Generator, main: Box, target: str, kind: Kind) -> list[Box]:
    """Return what stands round the container."""
    if kind.scanned:
        return scans.wagons(rng, main)
    boxes = boxes_behind(rng, main, float(main.sides[1]))
    if 1000 < main.corner[1] < 1500:
        boxes += vehicle(rng, main)
    return [*boxes_beside(rng, main, target), *boxes] if kind.crowded else boxes


def in_the_way(
    box: Box, face: Face, camera: Camera, seen: list[Seen], crowded: bool = False
) -> bool:
    """Return whether a box hides the face's number, or its own number looks as large.

    Among a crowd only a number counts that is all on the photo, and almost as large.
    """
    points, number = face.corners(), face.panel.number
    if seen and number is not None:
        points = face.at(*np.array([(c.x, c.y) for c in number.letters]).T)
    if box.hides(camera.place, points) or contains(box, camera.place):
        return True
    if not seen:
        return False
    least, share = (10, LARGEST_IN_CROWD) if crowded else (3, LARGEST_OTHER)
    return largest_number(box, camera, least) >= share * seen[0].pitch
