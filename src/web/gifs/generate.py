#!/usr/bin/env python3
"""Draws the page's pictures: `python3 src/web/gifs/generate.py` writes 1.gif … 16.gif beside itself and
icon-192.png and icon-512.png in the folder above. Ids (`generate.py 6 7`) and `icons` draw only those.

Python's standard library is enough, and the GIFs come out the same, byte for byte, anywhere: there is
no randomness, and every motion is a whole number of turns per loop, so the last frame leads into the
first. (How small zlib makes the icons is up to its version.) `drawing/` has the geometry, the paint and
the formats, `pictures/` what is drawn with them: a picture is a function that paints the moment t of its
loop, 0 <= t < 1, on a canvas that has its background already.
"""

import sys
from pathlib import Path

# Before the imports that it is for: this folder is part of the program's source, and stays clean.
sys.dont_write_bytecode = True

from drawing.gif import gif
from drawing.paint import Canvas
from drawing.png import png
from pictures import creatures, faces, hands, icon, sky, things

SIZE = 180  # pixels, both ways; gifs.js says it to the page
LOOP_HUNDREDTHS = 140  # of a second: the unit of the format
MANY, FEW = 20, 14  # frames per loop: few where so much moves that many would make a large file
LARGEST = 60_000  # bytes: a picture is loaded by everybody in the room
ICON_SIZES = (192, 512)  # what browsers ask of a page that can be installed

# In the order of their ids. An id keeps its picture for ever: a message of old says no more than the id.
PICTURES = [
    (hands.wave, "#39b8a8", MANY),
    (things.party, "#2f2a5c", MANY),
    (things.love, "#ff9db5", MANY),
    (hands.thumb_up, "#6fb1ff", MANY),
    (things.coffee, "#f2a65a", MANY),
    (faces.laugh, "#8a78f0", FEW),
    (hands.clap, "#ee6a5f", FEW),
    (faces.think, "#d977b8", MANY),
    (creatures.startled_cat, "#ffd45e", FEW),
    (sky.crying_cloud, "#6a8bb0", FEW),
    (creatures.shrugging_robot, "#a8d35c", MANY),
    (things.flame, "#3a1d3f", FEW),
    (sky.rocket, "#2b4f9e", FEW),
    (creatures.dancing_penguin, "#a9def5", FEW),
    (things.cake, "#8fdcc4", MANY),
    (sky.sleepy_moon, "#1c2350", FEW),
]


def write_gif(number):
    draw, background, count = PICTURES[number - 1]
    frames = []
    for i in range(count):
        canvas = Canvas(SIZE, background)
        draw(canvas, i / count)
        frames.append(canvas.pixels)
    data = gif(frames, SIZE, LOOP_HUNDREDTHS // count)
    if len(data) >= LARGEST:
        sys.exit(f"{number}.gif would have {len(data)} bytes, of {LARGEST}: draw it with less motion.")
    Path(__file__).with_name(f"{number}.gif").write_bytes(data)
    print(f"{number}.gif: {draw.__name__}, {len(data)} bytes", flush=True)


def write_icon(size):
    canvas = Canvas(size, icon.GROUND)
    icon.mark(canvas)
    data = png(canvas.pixels, size)
    path = Path(__file__).parent.with_name(f"icon-{size}.png")
    path.write_bytes(data)
    print(f"{path.name}: {len(data)} bytes", flush=True)


def main():
    ids = [str(number) for number in range(1, len(PICTURES) + 1)]
    wanted = sys.argv[1:] or [*ids, "icons"]
    for name in wanted:
        if name not in [*ids, "icons"]:
            sys.exit(f"There is no picture {name}: name ids of 1 to {len(PICTURES)}, or icons, or nothing for all.")
    for name in wanted:
        if name != "icons":
            write_gif(int(name))
            continue
        for size in ICON_SIZES:
            write_icon(size)


if __name__ == "__main__":
    main()
