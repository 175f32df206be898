"""Yards: a container whose visible faces are painted, what stands round it, and a camera."""

from __future__ import annotations

from dataclasses import replace

import doors
import ends
import numpy as np
import walls
from boxes import FACES, Box, Face, Seen, contains, in_frame, largest_number, lines_of
from camera import Camera
from kinds import PLAIN, Kind
from panels import WIDTH, Coat, Panel
from scenes import Scene
from surroundings import boxes_behind, neighbour_panel, stray_lines, vehicle
from viewpoints import PHOTO_SIZES, new_camera

LARGEST_OTHER = 0.6  # of the number's letters: those of numbers on other containers


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
    if on:
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
    floor = float(rng.choice((0, 0, 0, 1250, 1400, coat.height, coat.height, 2 * coat.height)))
    corner = np.array((-WIDTH / 2, floor, 0.0))
    main = Box(corner, np.array((WIDTH, coat.height, coat.length), float))
    main.panels[target] = paint_face(rng, coat, target, layout, on)
    face = main.faces()[0]
    for attempt in range(30):
        size = PHOTO_SIZES[rng.integers(len(PHOTO_SIZES))]
        camera = new_camera(rng, face, size, share * 0.97**attempt, kind)
        seen = [line for line in lines_of(face, camera) if line.line.is_number]
        if not coat.number or (face.faces(camera.place) and seen and in_frame(seen[0], size)):
            break
    paint_others(rng, coat, main, camera.place)
    others = boxes_behind(rng, main, float(coat.height))
    if 1000 < main.corner[1] < 1500:
        others += vehicle(rng, main)
    others = [box for box in others if not in_the_way(box, face, camera, seen)]
    letters, pitch = (seen[0].centres, seen[0].pitch) if seen else (np.zeros((1, 2)), 9.0)
    ground = rng.uniform(60, 190) * (1 + rng.normal(0, 0.03, 3))
    horizon = np.array((215, 222, 230)) * rng.uniform(0.3, 1.15)
    zenith = np.array((120, 165, 220)) * rng.uniform(0.2, 1.2)
    tile = int(rng.integers(6))
    lines = stray_lines(rng, size, letters, pitch)
    shades = {name: float(rng.uniform(0.55, 1.1)) if rng.random() < 0.6 else 1.0 for name in FACES}
    return Scene(camera, main, others, ground, (horizon, zenith), tile, lines, shades, target)


def in_the_way(box: Box, face: Face, camera: Camera, seen: list[Seen]) -> bool:
    """Return whether a box hides the face's number, or its own number looks as large."""
    points = face.corners()
    if seen:
        letters = face.panel.number.letters
        points = face.at(*np.array([(c.x, c.y) for c in letters]).T)
    if box.hides(camera.place, points) or contains(box, camera.place):
        return True
    return bool(seen) and largest_number(box, camera) >= LARGEST_OTHER * seen[0].pitch
