"""Things: confetti, a heart, coffee, a flame, a cake."""

from math import cos, pi, sin, tau

from drawing.motion import faded
from drawing.paint import fill, outlined
from drawing.shapes import arc, capsule, drop, ellipse, heart, moved, rounded, smooth, star, stroke, turned


def party(canvas, t):
    """A party popper under falling confetti."""
    colours = ("#ff5d73", "#ffd23f", "#3ddbd9", "#8f7bff", "#ffffff", "#7ddc6f")
    burst = max(0.0, sin(tau * t)) ** 2

    for i in range(17):
        fall = (t + i * 0.381966) % 1
        x = 12 + (i * 23.7) % 156 + 7 * sin(tau * (t + i / 7))
        y = -12 + 204 * fall
        piece = [rounded(x - 6, y - 3.2, x + 6, y + 3.2, 1.2)] if i % 3 else [ellipse(x, y, 4.3, steps=16)]
        fill(canvas, turned(piece, 360 * (t * (1 + i % 2) + i / 5), x, y), colours[i % len(colours)])

    def at(contours):
        return turned(contours, 4 * sin(2 * tau * t), 52, 150, 1 + 0.035 * burst)

    for i, (dx, dy, colour) in enumerate(((46, -14, "#ff5d73"), (32, -36, "#ffd23f"), (10, -52, "#3ddbd9"))):
        ribbon = []
        for step in range(15):
            along, sway = step / 14, 7 * sin(tau * (step / 7 - t + i / 3)) * step / 14
            length = 0.72 + 0.2 * burst
            ribbon.append((86 + dx * along * length * 1.5 - sway * dy / 60, 110 + dy * along * length * 1.5 + sway * dx / 60))
        fill(canvas, stroke(ribbon, 3.4), colour)
    cone = [(28, 160), (61, 90), (106, 135)]
    fill(canvas, at(stroke([*cone, cone[0]], 6) + [cone]), "#7a3fc4")
    fill(canvas, at(stroke([*cone, cone[0]], 3) + [cone]), "#ffb02e")
    fill(canvas, at(stroke([(47, 122), (73, 149)], 5)), "#ff5d73")
    fill(canvas, at(stroke([(38, 141), (54, 157)], 4)), "#ff5d73")
    fill(canvas, at(turned([ellipse(83.5, 112.5, 34, 13)], 45, 83.5, 112.5)), "#7a3fc4")
    fill(canvas, at(turned([ellipse(83.5, 112.5, 30, 9.5)], 45, 83.5, 112.5)), "#43226f")


def love(canvas, t):
    """A heart that beats twice, with small ones rising."""
    beat = sum(max(0.0, 1 - abs(t - moment) / 0.13) ** 2 * strength for moment, strength in ((0.2, 1.0), (0.46, 0.6)))
    for i in range(7):
        rise = (t + i * 0.618034) % 1
        x = 22 + (i * 97) % 140 + 6 * sin(tau * (t + i / 3))
        size = (6 + 3 * (i % 3)) * min(1, 5 * rise, 5 * (1 - rise))
        if size > 0.5:
            fill(canvas, [heart(x, 176 - 172 * rise, size)], "#ffffff", 0.75)
    size = 55 + 8 * beat
    fill(canvas, [heart(90, 92, size + 5)], "#a3123f")
    fill(canvas, [heart(90, 92, size)], "#ff3b6b")
    shine = turned(stroke(arc(0, 0, 22, 175, 262), 5.5, taper=True), 0, 0, 0, size / 55)
    fill(canvas, moved(shine, 90 - size * 0.42, 92 - size * 0.25), "#ffc2d1")


def coffee(canvas, t):
    """A cup of coffee, steaming."""
    for i, x in enumerate((68, 88, 108)):
        steam = []
        for step in range(17):
            y = 78 - 58 * step / 16
            steam.append((x + (2 + 0.42 * step) * sin(tau * (step / 11 + t + i * 0.37)), y + 5 * sin(tau * (t + i / 3))))
        fill(canvas, stroke(steam, 5, taper=True), "#ffffff", 0.8)
    fill(canvas, [ellipse(88, 156, 64, 11)], "#8a4b2a")
    fill(canvas, [ellipse(88, 153, 64, 10)], "#ffffff")
    fill(canvas, [ellipse(88, 153, 40, 5)], "#e4d8cf")
    fill(canvas, stroke(arc(131, 112, 17, -95, 110), 7.5), "#e4d8cf")
    fill(canvas, stroke(arc(131, 112, 17, -95, 110), 5), "#ffffff")
    sides = [(cos(pi * i / 40), sin(pi * i / 40)) for i in range(41)]
    bowl = [(88 + 48 * abs(c) ** 0.7 * (1 if c > 0 else -1), 86 + 67 * s**0.8) for c, s in sides]
    inner = [(88 + 24 * c**0.7, 86 + 67 * s**0.8) for c, s in sides[:21]]
    fill(canvas, [bowl], "#ffffff")
    fill(canvas, [bowl[:21] + inner[::-1]], "#e4d8cf")
    fill(canvas, [ellipse(88, 86, 48, 10)], "#ffffff")
    fill(canvas, [ellipse(88, 87, 43, 7.5)], "#5a2d17")
    fill(canvas, [ellipse(88 + 3 * sin(tau * t), 88.5, 27, 3.6)], "#8a4b2a")
    smile = [(66, 116), (86, 116)]
    blink = 0.12 < t < 0.22
    for x, y in smile:
        fill(canvas, stroke([(x - 4, y), (x + 4, y)], 1.8) if blink else [ellipse(x, y, 3.6, 4.6)], "#5a2d17")
    fill(canvas, stroke(arc(76, 119, 8, 25, 155), 1.9), "#5a2d17")
    for x in (57, 95):
        fill(canvas, [ellipse(x, 124, 5.5, 3.5)], "#ffb3a8")


def flame(canvas, t):
    """A merry flame that flickers, with sparks."""
    for i in range(9):
        rise = (t + i * 0.618034) % 1
        x = 90 + ((i * 53) % 120 - 60) * (0.7 + 0.4 * rise) + 6 * sin(tau * (t + i / 4))
        size = 5 * faded(rise) * (1 - 0.5 * rise)
        if size > 0.6:
            fill(canvas, [ellipse(x, 150 - 146 * rise, size, steps=14)], ("#ffd23f", "#ff8a3c")[i % 2])
    fill(canvas, [ellipse(90, 163, 52, 8)], "#22102a")

    def flickering(points, x, scale_x, scale_y):
        """The flame's outline around its foot at (0, 0): the higher a point, the more it sways."""
        swayed = []
        for px, py in points:
            height = -py / 140
            sway = 11 * height * sin(tau * (2 * t + 0.9 * height)) + 4 * height * sin(tau * (t + 0.3))
            swayed.append((x + (px + sway) * scale_x, 160 + py * scale_y))
        return smooth(swayed)

    leap = 1 + 0.035 * sin(2 * tau * t)
    tongues = [
        *((0, 0), (-36, -8), (-52, -38), (-50, -66), (-42, -96), (-31, -70), (-22, -84), (-14, -112)),
        *((2, -146), (12, -112), (27, -84), (33, -72), (43, -90), (51, -60), (53, -34), (36, -8)),
    ]
    outlined(canvas, [flickering(tongues, 90, 1.0, leap)], "#ff5230", "#8f1a12")
    fill(canvas, [flickering(tongues, 90, 0.78, 0.76 * leap)], "#ff9a2e")
    fill(canvas, [flickering(tongues, 90, 0.56, 0.5 * leap)], "#ffdf5e")

    ink, blink = "#6b1f10", 0.62 < t < 0.72
    for x in (74, 106):
        fill(canvas, stroke([(x - 5, 124), (x + 5, 124)], 2) if blink else [ellipse(x, 124, 4.8, 6.2)], ink)
        if not blink:
            fill(canvas, [ellipse(x + 1.6, 121.6, 1.7, steps=16)], "#ffffff")
    fill(canvas, stroke(arc(90, 128, 9, 20, 160), 2.3), ink)
    for x in (62, 118):
        fill(canvas, [ellipse(x, 135, 6, 3.8)], "#ff7a5c")


def icing(x0, x1, top, depth, drips):
    """A layer of icing from x0 to x1 that has run down in places."""
    gap = (x1 - x0) / len(drips)
    middles = [x0 + gap * (i + 0.5) for i in range(len(drips))]
    runs = [capsule(x, top + 8, x, top + depth + run, gap / 2) for x, run in zip(middles, drips)]
    return [rounded(x0, top, x1, top + depth, 8), *runs]


def cake(canvas, t):
    """A birthday cake whose candles flicker."""
    crust, sponge, pink, cream = "#8a3f2a", "#ffd79a", "#ff7fa5", "#fff6e6"
    stars = ((26, 44, 12), (155, 38, 13), (38, 84, 8), (146, 82, 9), (18, 112, 8), (164, 114, 8))
    for i, (x, y, r) in enumerate(stars):
        glow = max(0.0, sin(tau * (t - i * 0.31)))
        if glow > 0.1:
            fill(canvas, [star(x, y, r * glow)], "#ffffff")

    outlined(canvas, [ellipse(90, 158, 76, 10)], "#ffffff", "#3f8f7b", 2.5)
    for x0, x1, top, foot, colour, drips in (
        (34, 146, 104, 156, pink, (4, 10, 3, 8, 2, 9, 4)),
        (54, 126, 68, 108, cream, (6, 1, 8, 3, 5)),
    ):
        outlined(canvas, [rounded(x0, top, x1, foot, 9)], sponge, crust)
        fill(canvas, icing(x0, x1, top, 10, drips), colour)
    for i in range(9):
        x, y = 42 + 12.2 * i, 108 + 3 * (i % 2)
        sprinkle = turned([capsule(x - 2.5, y, x + 2.5, y, 1.5, steps=4)], 70 * i, x, y)
        fill(canvas, sprinkle, ("#ffffff", "#ffe066", "#7ee0ff")[i % 3])

    for i, (x, stripe) in enumerate(((68, "#4f9dff"), (90, "#ff5d8f"), (112, "#8f6bff"))):
        flicker = sin(tau * (2 * t + i / 3))
        fill(canvas, [ellipse(x, 30, 15 + 1.6 * flicker)], "#fff3a8", 0.5)
        stick = [rounded(x - 4.5, 42, x + 4.5, 71, 3)]
        outlined(canvas, stick, "#ffffff", crust, 2)
        for y in (46, 55, 64):
            fill(canvas, [capsule(x - 6, y + 4, x + 6, y - 1, 2.2)], stripe, within=stick)
        fill(canvas, stroke([(x, 36), (x, 41)], 1.3), crust)
        burning = turned([drop(x, 29, 6.5 + 0.5 * flicker)], 9 * sin(tau * (t + i / 3)) + 5 * flicker, x, 38)
        outlined(canvas, burning, "#ffb02e", "#e8621f", 1.5)
        fill(canvas, [ellipse(x, 33, 2.8, 3.6, steps=16)], "#fff3a8")

    blink = 0.4 < t < 0.5
    for x in (76, 104):
        fill(canvas, stroke([(x - 4, 133), (x + 4, 133)], 1.9) if blink else [ellipse(x, 133, 3.8, 4.9)], crust)
    fill(canvas, stroke(arc(90, 135, 8, 20, 160), 2), crust)
    for x in (64, 116):
        fill(canvas, [ellipse(x, 141, 5.5, 3.4)], "#ff9fa8")
