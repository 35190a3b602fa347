"""The icon of the page, as in icon.svg, for browsers that need pixels."""

from drawing.paint import fill
from drawing.shapes import arc, ellipse

GROUND, BUBBLE, DOT = "#f3f4f1", "#0f766e", "#ffffff"
MIDDLE = (16, 16.4)  # of the bubble with its tail, in the 32 units of icon.svg
REACH = 17.2  # from there to the farthest point of the bubble, in the same units
SAFE = 0.4  # radius of the safe zone that no launcher cuts into, as a share of the icon's side


def mark(canvas):
    """The speech bubble with three dots, inside the safe zone of a maskable icon."""
    scale = canvas.size * SAFE / REACH

    def at(points):
        return [(canvas.size / 2 + scale * (x - MIDDLE[0]), canvas.size / 2 + scale * (y - MIDDLE[1])) for x, y in points]

    right = [*arc(24, 9, 6, -90, 0, 24), *arc(24, 18, 6, 0, 90, 24)]
    tail = [(15, 24), *arc(7.2, 29, 0.7, 50, 180, 12)]
    left = [*arc(8, 18, 6, 104.5, 180, 24), *arc(8, 9, 6, 180, 270, 24)]
    fill(canvas, [at([*right, *tail, *left])], BUBBLE)
    for x in (9.5, 16, 22.5):
        fill(canvas, [at(ellipse(x, 13.5, 2.3, steps=64))], DOT)
