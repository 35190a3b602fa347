#!/usr/bin/env python3
"""Draws the GIFs and icons of the page. `python3 src/web/gifs/generate.py` writes 1.gif … 16.gif beside
itself, and icon-192.png and icon-512.png in the folder above. With arguments, it draws only these GIFs
(`generate.py 6 7`), or only the icons (`generate.py icons`).

It needs only Python's standard library. The GIFs are the same to the byte on every machine: there is no
randomness. (The icons depend on the version of zlib.) Each motion makes a whole number of turns per loop,
so the last frame leads into the first. `drawing/` has geometry, painting and file formats, `pictures/` the
pictures: each is a function that paints the moment t of its loop, 0 <= t < 1, on a canvas that already
has its background.
"""

import sys
from pathlib import Path

# Set before the imports, so that they write no bytecode into the program's source folder.
sys.dont_write_bytecode = True

from drawing.gif import gif
from drawing.paint import Canvas
from drawing.png import png
from pictures import creatures, faces, hands, icon, sky, things

SIZE = 180  # pixels, width and height; PIXELS in view/picture.js is the same
LOOP_HUNDREDTHS = 140  # hundredths of a second, the unit of the GIF format
MANY, FEW = 20, 14  # frames per loop: few if much moves, to keep the file small
LARGEST = 60_000  # bytes: everyone in the room loads the picture
ICON_SIZES = (192, 512)  # pixels: the sizes that browsers want for an installable page

# In the order of their ids. Never give an id another picture: old messages contain only the id.
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
            sys.exit(f"There is no picture {name}: give ids from 1 to {len(PICTURES)}, or icons, or nothing for all.")
    for name in wanted:
        if name != "icons":
            write_gif(int(name))
            continue
        for size in ICON_SIZES:
            write_icon(size)


if __name__ == "__main__":
    main()
