"""The sky: a cloud, a rocket, the moon."""

from math import atan2, degrees, sin, tau

from drawing.motion import faded
from drawing.paint import fill, outlined
from drawing.shapes import arc, around, capsule, drop, ellipse, mirrored, moved, smooth, star, stroke, symmetric, turned


def crying_cloud(canvas, t):
    """A cloud that rains and weeps into its own puddle."""
    white, shade, edge, water, water_edge = "#f3f7fc", "#cddbea", "#3d5673", "#7fd0ff", "#2c6fb0"
    sob = 2.5 * sin(2 * tau * t)

    outlined(canvas, [ellipse(90, 163, 66, 10)], water, water_edge, 2)
    for i in range(2):  # rings on the puddle
        life = (2 * t + i / 2) % 1
        x = 62 + 56 * i
        if 0.05 < life < 0.95:
            fill(canvas, around([ellipse(x, 163, 24 * life, 5 * life, steps=20)], 1.2), "#ffffff")
    for i in range(7):
        fall = (2 * t + i * 0.381966) % 1
        size = 5.5 * faded(fall, 0.12)
        if size > 0.8:
            fill(canvas, [drop(39 + 17 * i, 112 + 48 * fall, size)], water)

    def at(contours):
        return moved(contours, 0, sob)

    puffs = [ellipse(92, 66, 41, 38), ellipse(50, 84, 33, 28), ellipse(132, 82, 34, 30), ellipse(90, 92, 56, 25)]
    outlined(canvas, at(puffs), white, edge)
    low = [ellipse(90, 122, 80, 18)]
    fill(canvas, at(low), shade, within=at(puffs))

    for side in (-1, 1):
        x = 90 + side * 22
        fill(canvas, at([ellipse(x, 76, 7.5, 9)]), edge)
        fill(canvas, at([ellipse(x + 2.4, 72, 2.8, steps=20)]), "#ffffff")
        fill(canvas, at([ellipse(x - 2.6, 80, 1.6, steps=16)]), "#ffffff")
        fill(canvas, at(stroke([(x + side * 9, 61), (x, 58), (x - side * 9, 52)], 2.4)), edge)
        fill(canvas, at([ellipse(90 + side * 37, 90, 8, 5)]), "#ffb3bd")
        life = (t + (0.5 if side > 0 else 0.0)) % 1  # one tear after the other
        swell = min(1.0, life / 0.35)
        y = 88 + 62 * max(0.0, life - 0.35) ** 1.5 / 0.65**1.5
        if swell > 0.15 and life < 0.97:
            outlined(canvas, moved([drop(x + side * 4, y, 7.5 * swell)], 0, sob * (life < 0.35)), water, water_edge, 1.8)
    wobble = 1.5 * sin(3 * tau * t)
    fill(canvas, at(stroke(arc(90, 103 + wobble / 2, 10, 205, 335), 2.8)), edge)


def rocket(canvas, t):
    """A rocket that races through the stars."""
    hull, edge, red, dark_red, glass = "#f4f6fb", "#1a2750", "#ff4d5e", "#b81f3c", "#6fe0ff"
    shake = 1.5 * sin(4 * tau * t), 2.5 * sin(tau * t)

    def course(contours):
        return turned(contours, 32, 90, 90)

    def at(contours):
        return course(moved(contours, *shake))

    for i in range(15):
        far = i % 3 == 0
        x, y = -24 + (i * 61.8) % 228, -50 + 280 * ((t * (1 if far else 2) + i * 0.381966) % 1)
        fill(canvas, course([capsule(x, y, x, y + (6 if far else 16), 1.6, 0.8, 4)]), "#8fa8f0" if far else "#ffffff")

    for i in range(6):  # smoke, that grows and stays behind
        life = (2 * t + i / 6) % 1
        x, y = 90 + 9 * sin(tau * (i * 0.618 + 0.2)) * (0.4 + life), 142 + 62 * life
        fill(canvas, course([ellipse(x, y, (7 + 9 * life) * min(1, 4 * (1 - life)))]), ("#dfe6f7", "#b9c6ea")[i % 2])
    reach = 36 + 7 * sin(4 * tau * t) + 3 * sin(3 * tau * t)
    for wide, long, colour in ((15, 1.0, "#ff8a2e"), (9, 0.62, "#ffe066")):
        sides = [(90 + wide, 122), (90 + 0.6 * wide, 122 + 0.45 * reach * long)]
        fill(canvas, at([symmetric(116, sides, 122 + reach * long)]), colour)

    fin = smooth([(68, 88), (74, 118), (56, 124), (44, 130), (48, 106)])
    outlined(canvas, at([fin, *mirrored([fin])]), red, edge)
    outlined(canvas, at([smooth([(76, 116), (104, 116), (101, 126), (79, 126)])]), "#7d8bb5", edge)
    body = at([symmetric(14, [(108, 36), (117, 66), (116, 92), (106, 119)], 121)])
    outlined(canvas, body, hull, edge)
    fill(canvas, at([ellipse(124, 74, 22, 70)]), "#ccd5ea", within=body)
    fill(canvas, at([ellipse(90, 12, 40, 30)]), red, within=body)
    fill(canvas, at([ellipse(120, 16, 24, 34)]), dark_red, within=body)
    outlined(canvas, at([ellipse(90, 70, 15)]), glass, edge, 4)
    fill(canvas, at(stroke(arc(90, 70, 9, 180, 260), 2.6, taper=True)), "#ffffff")
    outlined(canvas, at([capsule(90, 104, 90, 126, 4.5, 3)]), red, edge, 2.5)


def crescent(x, y, r, inner_x, inner_y, inner_r):
    """A disc without the part that another disc covers: the outer edge to the far horn, and the inner edge back."""
    apart = ((inner_x - x) ** 2 + (inner_y - y) ** 2) ** 0.5
    bearing = degrees(atan2(inner_y - y, inner_x - x))
    along = (r * r - inner_r * inner_r + apart * apart) / (2 * apart)  # from the disc's centre to the chord
    chord = (r * r - along * along) ** 0.5
    outer, inner = degrees(atan2(chord, along)), degrees(atan2(chord, along - apart))
    edge = arc(x, y, r, bearing + outer, bearing + 360 - outer, 60)
    return [*edge, *arc(inner_x, inner_y, inner_r, bearing + 360 - inner, bearing + inner, 40)]


def sleepy_moon(canvas, t):
    """The moon, asleep in its nightcap."""
    moon, glow, edge, blue, dark = "#ffe28a", "#ffc95c", "#a8741f", "#6f8cff", "#2f3f9c"
    breath = sin(tau * t)

    stars = ((24, 30, 8), (160, 150, 9), (22, 150, 7), (150, 118, 6), (166, 26, 6), (60, 166, 5), (112, 166, 6))
    for i, (x, y, r) in enumerate(stars):
        fill(canvas, [star(x, y, r * (0.6 + 0.4 * sin(tau * (t + i * 0.381966))))], "#cdd6ff")
    for i in range(3):  # z, z, z
        rise = (t + i / 3) % 1
        size = 10 * (0.45 + 0.55 * rise) * faded(rise, 0.15)
        x, y = 130 + 30 * rise + 4 * sin(tau * (rise + 0.1)), 92 - 70 * rise
        if size > 1:
            letter = [(x - size, y - size), (x + size, y - size), (x - size, y + size), (x + size, y + size)]
            fill(canvas, stroke(letter, size / 4.2), "#ffffff")

    def at(contours):
        return turned(contours, 2.5 * breath, 84, 100, 1 + 0.012 * breath)

    body = at([crescent(86, 96, 61, 124, 74, 44)])
    outlined(canvas, body, moon, edge)
    fill(canvas, at([crescent(86, 96, 63, 95, 91, 60)]), glow, within=body)

    def face(contours):
        return at(turned(contours, 20, 60, 110))

    for x in (46, 76):
        fill(canvas, face(stroke(arc(x, 100, 8, 25, 155), 2.6)), "#6b3f10")
        fill(canvas, face([ellipse(x + (x - 61) * 0.35, 116, 6.5, 4.2)]), "#ff9f6b")
    fill(canvas, face([ellipse(61, 121, 4.2 + 0.8 * breath, 4 + 1.6 * breath)]), "#8c4a1a")

    swing = 5 * sin(tau * (t - 0.2))
    tip = (119 + 0.4 * swing, 46 + 0.6 * swing)
    cap = smooth([(28, 74), (34, 46), (56, 22), (82, 14), (107, 23), tip, (105, 41), (94, 46), (86, 56), (60, 64)])
    outlined(canvas, at([cap]), blue, dark)
    for x, y in ((56, 40), (80, 30), (70, 53), (102, 33)):
        fill(canvas, at([ellipse(x, y, 4.2, steps=20)]), "#dfe6ff")
    outlined(canvas, at(stroke([(28, 74), (56, 66), (86, 54)], 7)), "#ffffff", dark, 2.5)
    outlined(canvas, at([ellipse(tip[0] + 1, tip[1] + 4, 9)]), "#ffffff", dark, 2.5)
