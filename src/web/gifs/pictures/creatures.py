"""Creatures: a cat, a robot, a penguin."""

from math import sin, tau

from drawing.motion import faded, held
from drawing.paint import fill, outlined
from drawing.shapes import arc, capsule, ellipse, mirrored, moved, rounded, smooth, stroke, symmetric, turned


def startled_cat(canvas, t):
    """A cat behind a table, whose eyes pop."""
    fur, dark, edge, pale = "#8fa3c4", "#5c6f94", "#34425f", "#e9eef7"
    fright = held(t, 0.25, 0.36, 0.82, 0.96)
    tremble = (1.5 if int(7 * t) % 2 else -1.5) * (fright == 1)

    def at(contours):
        return moved(contours, tremble, -7 * fright)

    def both(contours):
        return [*contours, *mirrored(contours)]

    for side in (-1, 1):  # exclamation marks
        if fright > 0.1:
            mark = [capsule(0, -17, 0, 3, 6, 3.5), ellipse(0, 14, 4.6, steps=20)]
            mark = turned(mark, side * 16, 0, 14, fright)
            outlined(canvas, moved(mark, 90 + side * 72, 42 - 3 * tremble * side), "#f0384a", "#ffffff", 2)

    ear = turned([[(40, 88), (42, 34), (82, 60)]], -7 * fright, 62, 74)
    head = symmetric(52, [(126, 60), (147, 96), (150, 116), (128, 138)], 148)
    outlined(canvas, at([*both(ear), head]), fur, edge)
    fill(canvas, at(both(turned(ear, 0, 54, 62, 0.52))), "#f4a9b8")
    for x, length in ((90, 17), (76, 12), (104, 12)):
        fill(canvas, at(stroke([(x, 56), (x, 56 + length / 2), (x, 56 + length)], 3.2, taper=True)), dark)

    size = 14 + 5.5 * fright
    for x in (64, 116):
        if 0.1 < t < 0.16:  # a blink before the fright
            fill(canvas, stroke(arc(x, 88, 13, 25, 155), 2.6), edge)
            continue
        outlined(canvas, at([ellipse(x, 94, size)]), "#ffffff", edge, 2.5)
        pupil = 9.5 - 5 * fright
        fill(canvas, at([ellipse(x, 94, pupil)]), "#1c2438")
        fill(canvas, at([ellipse(x + pupil * 0.35, 94 - pupil * 0.35, pupil * 0.32, steps=16)]), "#ffffff")

    for side in (-1, 1):
        for i in (-1, 0, 1):
            start, end = (90 + side * 40, 122 + 4 * i), (90 + side * 78, 122 + 11 * i - 9 * fright * (1 + i) + 2)
            fill(canvas, at([capsule(*start, *end, 1.7, 0.9, 4)]), edge)
    fill(canvas, at([ellipse(79, 121, 15, 11), ellipse(101, 121, 15, 11), ellipse(90, 130, 13, 10)]), pale)
    mouth = [ellipse(90, 129 + 2 * fright, 3 + 5 * fright, 1.6 + 8 * fright)]
    fill(canvas, at(mouth), "#7a2038")
    fill(canvas, at([ellipse(90, 137, 6, 4)]), "#ff8a9b", within=at(mouth))
    fill(canvas, at([smooth([(83, 111), (90, 109.5), (97, 111), (90, 118)])]), "#e8748c")

    fill(canvas, [rounded(-10, 149, 190, 200, 2)], "#8a4424")
    fill(canvas, [rounded(-10, 152, 190, 200, 2)], "#c9713f")
    fill(canvas, [rounded(-10, 152, 190, 159, 2)], "#e08f56")
    for side in (-1, 1):
        x, y = 90 + side * (44 + 6 * fright) + tremble, 153 - 5 * fright
        outlined(canvas, [ellipse(x, y, 17, 11)], pale, edge)
        for toe in (-5, 5):
            fill(canvas, stroke([(x + toe, y + 2), (x + toe, y + 8)], 1.5), edge)


def question_mark(x, y, size):
    hook = [*arc(0, -9, 9, 190, 370, 10), (4, 3), (0, 9)]
    return turned(moved([*stroke(hook, 3.6), ellipse(0, 19, 4.2, steps=20)], x, y), 0, x, y, size)


def shrugging_robot(canvas, t):
    """A robot that shrugs."""
    steel, shade, edge, screen, light = "#eef3f6", "#b9c8d2", "#3a4f5f", "#1f3340", "#5ff0e0"
    shrug = held(t, 0.15, 0.32, 0.72, 0.9)

    for side in (-1, 1):
        if shrug > 0.1:
            mark = turned(question_mark(90 + side * 60, 40, shrug), side * 14, 90 + side * 60, 40)
            outlined(canvas, mark, "#ffffff", "#5f8a1e", 2.2)

    for side in (-1, 1):
        shoulder = (90 + side * 36, 116 - 8 * shrug)
        elbow = (90 + side * (50 + 2 * shrug), 144 - 6 * shrug)
        wrist = (90 + side * (56 + 5 * shrug), 164 - 54 * shrug)
        arm = [*stroke([shoulder, elbow], 7), *stroke([elbow, wrist], 7)]
        # A palm with three fingers: they hang down at rest, and open upwards and outwards in the shrug.
        fingers = [capsule(x, 0, 1.3 * x, abs(0.3 * x) - 18, 4.5) for x in (-10, 0, 10)]
        hand = [capsule(-9, 0, 9, 0, 7), *fingers]
        hand = moved(turned(hand, side * (180 - 152 * shrug), 0, 0), *wrist)
        outlined(canvas, arm, shade, edge)
        outlined(canvas, hand, steel, edge)

    lift = -4 * shrug
    outlined(canvas, moved([rounded(56, 106, 124, 190, 16)], 0, lift), steel, edge)
    fill(canvas, moved([rounded(70, 124, 110, 150, 7)], 0, lift), shade)
    for i, colour in enumerate(("#ff6b6b", "#ffd23f", "#4fa8ff")):
        glow = 5 if int(t * 10) % 3 == i else 3.8
        fill(canvas, moved([ellipse(79 + 11 * i, 137, glow, steps=20)], 0, lift), colour)

    def at(contours):
        return moved(turned(contours, 9 * shrug, 90, 104), 0, 3 * shrug)

    fill(canvas, at([rounded(80, 92, 100, 112, 3)]), edge)
    fill(canvas, at(stroke([(90, 34), (90, 20)], 2.6)), edge)
    outlined(canvas, at([ellipse(90, 17, 7)]), "#ff6b6b", edge, 2.5)
    outlined(canvas, at([rounded(46, 56, 54, 80, 4), rounded(126, 56, 134, 80, 4)]), shade, edge)
    outlined(canvas, at([rounded(53, 34, 127, 98, 20)]), steel, edge)
    fill(canvas, at([rounded(61, 43, 119, 89, 13)]), screen)
    blink = 0.04 < t < 0.12
    for x in (77, 103):
        tall = 1.6 if blink else 7
        fill(canvas, at([rounded(x - 5.5 + 3 * shrug, 61 - tall, x + 5.5 + 3 * shrug, 61 + tall, min(5, tall))]), light)
    fill(canvas, at(stroke([(80, 79 + shrug), (90, 80 - shrug), (100, 79 - 4 * shrug)], 2.4)), light)


def note(x, y, degrees, size):
    head, stem, flag = ellipse(-5, 9, 6.5, 5), capsule(0.5, 8, 0.5, -12, 1.8), [(0.5, -12), (7, -8), (9, -1)]
    return turned(moved([head, stem, *stroke(flag, 2.4)], x, y), degrees, x, y, size)


def dancing_penguin(canvas, t):
    """A penguin with a scarf that dances from foot to foot."""
    coat, edge, orange, rim, red = "#2f3f66", "#141d38", "#ff9f2e", "#a8560c", "#f0485a"
    sway = sin(2 * tau * t)
    hop = 7 * abs(sway)

    for i in range(2):
        rise = (t + i / 2) % 1
        side = -1 if i % 2 else 1
        x = 90 + side * (66 + 6 * sin(tau * (t + i / 3)))
        size = 1.3 * faded(rise)
        if size > 0.15:
            fill(canvas, note(x, 122 - 100 * rise, 12 * sin(tau * (t + i / 4)), size), "#3a6fc4")

    fill(canvas, [ellipse(90, 178, 110, 24)], "#ffffff")
    fill(canvas, [ellipse(90, 165, 48 - hop, 6)], "#cfe3f2")
    for side in (-1, 1):
        foot = moved([ellipse(90 + side * 22, 161, 17, 8)], 0, -12 * max(0.0, side * sway))
        outlined(canvas, foot, orange, rim, 2.5)

    def at(contours):
        return moved(turned(contours, 7 * sway, 90, 160, 0.9), 2 * sway, -hop)

    for side in (-1, 1):
        lift = 62 + side * 36 * sway
        flipper = turned([capsule(90 + side * 38, 94, 90 + side * 41, 124, 10, 6)], side * -lift, 90 + side * 38, 94)
        outlined(canvas, at(flipper), coat, edge)
    body = symmetric(22, [(122, 38), (132, 78), (136, 120), (120, 152)], 160)
    outlined(canvas, at([body]), coat, edge)
    belly = [ellipse(76, 66, 18, 20), ellipse(104, 66, 18, 20), ellipse(90, 122, 35, 35)]
    fill(canvas, at(belly), "#ffffff")

    for side in (-1, 1):
        x = 90 + side * 14
        if sway * side > 0.75:  # a wink to the side it leans to
            fill(canvas, at(stroke(arc(x, 67, 6, 200, 340), 2.2)), edge)
        else:
            fill(canvas, at([ellipse(x, 64, 4.8, 6)]), edge)
            fill(canvas, at([ellipse(x + 1.5, 61.5, 1.7, steps=16)]), "#ffffff")
        fill(canvas, at([ellipse(90 + side * 25, 75, 6, 4)]), "#ffb0b8")
    outlined(canvas, at([smooth([(80, 73), (90, 69), (100, 73), (90, 83)])]), orange, rim, 1.8)

    tail = stroke([(112, 98), (120 - 4 * sway, 112), (118 - 12 * sway, 128)], 7.5)
    band = stroke([(54, 92), (72, 99), (90, 101), (108, 99), (126, 92)], 7.5)
    for scarf in (tail, band):
        outlined(canvas, at(scarf), red, "#9c1f35", 2.5)
    for x, y in ((66, 97), (84, 101), (102, 100)):
        fill(canvas, at([capsule(x, y - 5, x + 2, y + 5, 2.2)]), "#ffffff")
