"""Hands: a wave, thumbs up, applause."""

from math import pi, sin, tau

from drawing.motion import eased
from drawing.paint import fill
from drawing.shapes import arc, capsule, ellipse, mirrored, moved, rounded, star, stroke, turned


def wave(canvas, t):
    """A hand that waves twice and rests."""
    swing = sin(2 * tau * t / 0.8) * sin(pi * t / 0.8) if t < 0.8 else 0.0
    wrist = (90, 158)
    fingers = [(61, 92, 43, 60, 10), (75, 86, 67, 38, 10.5), (92, 85, 93, 33, 10.5), (108, 90, 117, 43, 10)]
    thumb = (116, 126, 141, 92, 10.5)
    palm = rounded(54, 78, 122, 150, 27)

    for side in (-1, 1):
        for i, reach in enumerate((79, 90)):
            strength = max(0.0, side * swing) - 0.25 * i
            if strength > 0.15:
                middle = -90 + side * 62
                fill(canvas, stroke(arc(90, 96, reach, middle - 17, middle + 17), 3.2, taper=True), "#ffffff", 0.9)

    def at(contours):
        return moved(turned(contours, 5 + 17 * swing, *wrist), 0, -3)

    edge, skin, shade = "#b8741a", "#ffc94d", "#f0a92e"
    parts = [capsule(x0, y0, x1, y1, r + 3) for x0, y0, x1, y1, r in [*fingers, thumb]]
    fill(canvas, at([*parts, rounded(51, 75, 125, 153, 29)]), edge)
    for x0, y0, x1, y1, r in fingers:
        fill(canvas, at([capsule(x0, y0, x1, y1, r)]), skin)
    fill(canvas, at([palm, capsule(*thumb)]), skin)
    fill(canvas, at(stroke(arc(123, 142, 31, 190, 258), 2, taper=True)), shade)
    for x in (68.5, 84, 100.5):
        fill(canvas, at(stroke([(x, 76), (x, 84), (x, 92)], 1.7, taper=True)), edge, 0.75)


def thumb_up(canvas, t):
    """A thumb that goes up with a small bounce, and sparkles."""
    lift = sin(pi * min(t / 0.5, 1)) ** 2 - 0.32 * sin(pi * min(max((t - 0.5) / 0.26, 0), 1)) ** 2
    for i, (x, y, r) in enumerate(((38, 48, 15), (146, 40, 12), (152, 112, 9), (28, 108, 9), (62, 22, 8))):
        glow = max(0.0, sin(tau * (t - 0.18 - i * 0.09)))
        if glow > 0.1:
            fill(canvas, [star(x, y, r * glow)], "#fff6c2")

    def at(contours):
        return turned(moved(contours, 0, 8 - 14 * lift), -9 * lift, 70, 130)

    edge, skin = "#b8741a", "#ffc94d"
    thumb = stroke([(86, 106), (88, 84), (97, 62), (99, 47)], 13)
    fist = [rounded(66, 80, 134, 146, 20)]
    outline = stroke([(86, 106), (88, 84), (97, 62), (99, 47)], 16.5) + [rounded(62.5, 76.5, 122, 149.5, 23)]
    rows = [(113, 131, 88), (112, 134, 105), (111, 131, 122), (108, 125, 138)]
    outline += [capsule(x0, y, x1, y, 12.5) for x0, x1, y in rows]
    fill(canvas, at(outline), edge)
    fill(canvas, at(thumb + [rounded(66, 80, 120, 146, 20)]), skin)
    for x0, x1, y in rows:
        fill(canvas, at([capsule(x0, y, x1, y, 10.3)]), edge, 0.75)
        fill(canvas, at([capsule(x0, y, x1, y, 9)]), skin)
    fill(canvas, at([rounded(36, 84, 70, 150, 8)]), "#16407f")
    fill(canvas, at([rounded(39, 87, 67, 147, 6)]), "#3f7fe8")
    fill(canvas, at([ellipse(53, 135, 4.5)]), "#ffffff")


def clap(canvas, t):
    """Two hands that clap twice, with marks of the sound."""
    edge, skin, sleeve, hem = "#8f4a12", "#ffc94d", "#3f7fe8", "#16407f"
    apart = abs(sin(tau * t)) ** 0.8
    fingers = [(-21, -40, -25, -72, 8), (-7, -42, -9, -83, 8.5), (8, -42, 8, -82, 8.5), (22, -40, 25, -69, 8)]
    thumb, palm = (24, -8, 45, -35, 8.5), rounded(-30, -48, 31, 16, 20)

    def placed(contours):
        """The left hand from a drawing around its palm: the fingers lean to the other hand."""
        return moved(turned(contours, 12 + 8 * (1 - apart), 0, 40, 0.84), 65 - 28 * apart, 116)

    sound = eased(1 - apart, 0.3, 0.85)
    if sound > 0.1:
        for angle in (-142, -116, -90, -64, -38):
            (near, *_), (far, *_) = (arc(90, 96, reach, angle, angle, 1) for reach in (66, 66 + 20 * sound))
            fill(canvas, [capsule(*near, *far, 2.5, 4)], "#fff3c4")

    for hand in (placed, lambda contours: mirrored(placed(contours))):
        fill(canvas, hand([rounded(-25, 10, 26, 74, 6)]), hem)
        fill(canvas, hand([rounded(-22, 13, 23, 71, 4)]), sleeve)
        grown = [capsule(x0, y0, x1, y1, r + 3) for x0, y0, x1, y1, r in [*fingers, thumb]]
        fill(canvas, hand([*grown, rounded(-33, -51, 34, 19, 22)]), edge)
        fill(canvas, hand([palm, *[capsule(*finger) for finger in [*fingers, thumb]]]), skin)
        for x in (-14.5, 0, 15):
            fill(canvas, hand(stroke([(x, -32), (x, -46), (x * 1.15, -62)], 1.7, taper=True)), edge, 0.75)
