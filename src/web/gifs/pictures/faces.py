"""Faces: laughing, thinking."""

from math import pi, sin, tau

from drawing.motion import held
from drawing.paint import fill, outlined
from drawing.shapes import arc, capsule, drop, ellipse, grin, moved, rounded, stroke, turned

EDGE, SKIN, CHEEK, INK = "#b8741a", "#ffd24a", "#ff9f5a", "#5a2d17"


def laugh(canvas, t):
    """A face that shakes with laughter, in tears."""
    tear, tear_edge = "#8fe6ff", "#2878c8"
    shake, tilt = sin(3 * tau * t), 8 * sin(tau * t)

    def at(contours):
        return moved(turned(contours, tilt, 90, 130), 0, 3.5 * shake)

    outlined(canvas, at([ellipse(90, 92, 60)]), SKIN, EDGE)
    for side in (-1, 1):
        middle = 90 + side * 26
        fill(canvas, at(stroke(arc(middle, 84, 14, 200, 340), 4)), INK)
        fill(canvas, at(stroke(arc(middle, 66, 20, 235, 305), 2.8, taper=True)), EDGE)
        fill(canvas, at([ellipse(90 + side * 43, 101, 9, 6)]), CHEEK)

    mouth = at([grin(90, 100, 37, 37 + 3 * shake)])
    outlined(canvas, mouth, "#8c1f33", INK, 2)
    fill(canvas, at([rounded(60, 92, 120, 113, 6)]), "#ffffff", within=mouth)
    fill(canvas, at([ellipse(90, 138, 24, 17)]), "#ff6b81", within=mouth)

    for side in (-1, 1):
        for i in range(3):  # tears that fly off
            life = (2 * t + i / 3 + side / 12) % 1
            x = 90 + side * (60 + 27 * life)
            y = 92 - 34 * sin(pi * life) * (1 - 0.25 * i) + 42 * life**2
            fill(canvas, turned([drop(x, y, 6.5 * (1 - 0.55 * life))], side * (-70 + 90 * life), x, y), tear)
        x, y = 90 + side * 55, 97  # and one that swells beside the eye
        outlined(canvas, at(turned([drop(x, y, 14 + 1.5 * shake)], side * -38, x, y)), tear, tear_edge, 2)
        fill(canvas, at([ellipse(x - 4 + 3 * side, y + 4, 3, 4.5, steps=20)]), "#ffffff")


def think(canvas, t):
    """A face that ponders: the eyes wander, a finger taps the chin, and dots gather in a thought."""
    gaze = 1 - 2 * held(t, 0.42, 0.52, 0.9, 1.0)  # first to the thought, then away
    tap = max(0.0, sin(3 * tau * t))

    bubble = [ellipse(140, 32, 27, 18), ellipse(122, 36, 17, 13), ellipse(158, 37, 16, 13), ellipse(140, 23, 17, 12)]
    for part in (bubble, [ellipse(120, 61, 5.5)]):
        outlined(canvas, part, "#ffffff", "#8f3a76", 2.5)
    for i, x in enumerate((124, 140, 156)):
        size = 4.6 * held(t, 0.08 + 0.18 * i, 0.18 + 0.18 * i, 0.86, 0.96)
        if size > 0.5:
            fill(canvas, [ellipse(x, 33, size, steps=20)], "#8f3a76")

    outlined(canvas, [ellipse(72, 103, 54)], SKIN, EDGE)
    for x, y, brow in ((53, 93, 0), (92, 93, 1)):
        outlined(canvas, [ellipse(x, y, 11.5, 13)], "#ffffff", EDGE, 1.5)
        pupil = (x + 4.5 * gaze, y - 4.5)
        fill(canvas, [ellipse(*pupil, 6.2, 7)], INK)
        fill(canvas, [ellipse(pupil[0] + 2, pupil[1] - 2.4, 2, steps=16)], "#ffffff")
        raised = 5 * brow * (1 + gaze) / 2
        fill(canvas, turned(stroke(arc(x, 89 - raised, 20, 232, 308), 3.6, taper=True), 8 * brow - 4, x, 75), INK)
    fill(canvas, stroke([(62, 124), (74, 122), (86, 119), (94, 115)], 3), INK)

    def at(contours):
        return moved(contours, 0, -4 * tap)

    finger, thumb, fist = (46, 150, 90, 137, 9.5), (38, 148, 31, 123, 9.5), rounded(24, 134, 74, 173, 17)
    grown = [capsule(x0, y0, x1, y1, r + 3) for x0, y0, x1, y1, r in (finger, thumb)]
    fill(canvas, at([*grown, rounded(21, 131, 77, 176, 19)]), EDGE)
    fill(canvas, at([capsule(*finger), capsule(*thumb), fist]), "#ffbe33")
    for y in (153, 163):
        fill(canvas, at(stroke([(48, y), (60, y - 1), (71, y)], 1.8, taper=True)), EDGE)
