#!/usr/bin/env python3
"""Draws the five pictures of the page: `python3 src/web/gifs/generate.py` writes 1.gif … 5.gif beside itself.

Python's standard library is enough, and the same script gives the same bytes anywhere: there is no
randomness, and every motion is a whole number of turns per loop, so the last frame leads into the
first. A picture is a list of frames; a frame is shapes painted over each other; a shape is contours,
filled by the non-zero rule with exact horizontal and 4-fold vertical anti-aliasing.
"""

from collections import Counter
from math import cos, floor, pi, sin, tau
from pathlib import Path

SIZE = 180  # pixels, both ways; view.js reserves the same space
FRAMES = 20
FRAME_HUNDREDTHS = 7  # of a second: the unit of the format
SUBLINES = 4  # per pixel row
SHADES = 8  # of an edge: few, so that the palette is small and the frames compress
COLOURS = 63  # and one index for "as in the frame before": six bits in all

# ---- geometry: points are (x, y), y grows downwards; every contour turns the same way


def ellipse(x, y, rx, ry=None, steps=40):
    ry = rx if ry is None else ry
    return [(x + rx * cos(tau * i / steps), y + ry * sin(tau * i / steps)) for i in range(steps)]


def capsule(x0, y0, x1, y1, r0, r1=None, steps=10):
    """A line with round ends, as wide as two circles of radius r0 and r1."""
    r1 = r0 if r1 is None else r1
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1e-9
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    points = []
    for x, y, r, start in ((x1, y1, r1, -pi / 2), (x0, y0, r0, pi / 2)):
        for i in range(steps + 1):
            a = start + pi * i / steps
            points.append((x + r * (ux * cos(a) - uy * sin(a)), y + r * (uy * cos(a) + ux * sin(a))))
    return points


def stroke(points, r, taper=False):
    """A round pen of radius r along the points; with `taper`, thin at both ends."""
    last = len(points) - 1
    radius = [r * (sin(pi * (i + 0.35) / (last + 0.7)) if taper else 1) for i in range(last + 1)]
    return [capsule(*points[i], *points[i + 1], radius[i], radius[i + 1], 6) for i in range(last)]


def arc(x, y, r, start, end, steps=12):
    """Points on a circle, angles in degrees."""
    angles = (start + (end - start) * i / steps for i in range(steps + 1))
    return [(x + r * cos(a * pi / 180), y + r * sin(a * pi / 180)) for a in angles]


def rounded(x0, y0, x1, y1, r):
    corners = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180), (x1 - r, y0 + r, 270))
    return [p for x, y, a in corners for p in arc(x, y, r, a, a + 90, 6)]


def heart(x, y, size, steps=48):
    points = []
    for i in range(steps):
        a = tau * i / steps
        px = 16 * sin(a) ** 3
        py = 13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a)
        points.append((x + size * px / 17, y - size * (py + 2.5) / 17))
    return points


def star(x, y, r, inner=0.35, tips=4):
    reach = [r * (inner if i % 2 else 1) for i in range(2 * tips)]
    return [(x + reach[i] * sin(pi * i / tips), y - reach[i] * cos(pi * i / tips)) for i in range(2 * tips)]


def turned(contours, degrees, x, y, scale=1.0):
    c, s = scale * cos(degrees * pi / 180), scale * sin(degrees * pi / 180)

    def turn(px, py):
        return x + (px - x) * c - (py - y) * s, y + (px - x) * s + (py - y) * c

    return [[turn(*point) for point in contour] for contour in contours]


def moved(contours, dx, dy):
    return [[(x + dx, y + dy) for x, y in contour] for contour in contours]


# ---- painting


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def mixed(a, b, share):
    """`share` of colour a over colour b."""
    return tuple(round(p * share + q * (1 - share)) for p, q in zip(a, b))


def crossings(contours, y):
    """Where the line at height y meets the contours: (x, +1 or -1), from left to right."""
    found = []
    for contour in contours:
        x0, y0 = contour[-1]
        for x1, y1 in contour:
            if (y0 <= y) != (y1 <= y):
                found.append((x0 + (y - y0) * (x1 - x0) / (y1 - y0), 1 if y1 > y0 else -1))
            x0, y0 = x1, y1
    found.sort()
    return found


def cover(row, start, end, weight):
    """Adds to each pixel of the row the share that the span covers."""
    start, end = max(start, 0.0), min(end, float(SIZE))
    if start >= end:
        return
    first, last = floor(start), min(floor(end), SIZE - 1)
    if first == last:
        row[first] += weight * (end - start)
        return
    row[first] += weight * (first + 1 - start)
    for x in range(first + 1, last):
        row[x] += weight
    row[last] += weight * (end - last)


def fill(canvas, contours, colour, opacity=1.0):
    colour = rgb(colour)
    heights = [y for contour in contours for _, y in contour]
    for row in range(max(0, floor(min(heights))), min(SIZE, floor(max(heights)) + 1)):
        share = [0.0] * SIZE
        for line in range(SUBLINES):
            winding, since = 0, 0.0
            for x, turn in crossings(contours, row + (line + 0.5) / SUBLINES):
                if winding == 0:
                    since = x
                winding += turn
                if winding == 0:
                    cover(share, since, x, 1 / SUBLINES)
        for x, amount in enumerate(share):
            amount = round(min(amount, 1.0) * SHADES) / SHADES * opacity
            if amount > 0:
                canvas[row * SIZE + x] = mixed(colour, canvas[row * SIZE + x], amount)


# ---- the five pictures: each draws the moment t of its loop, 0 <= t < 1


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


PICTURES = [(wave, "#39b8a8"), (party, "#2f2a5c"), (love, "#ff9db5"), (thumb_up, "#6fb1ff"), (coffee, "#f2a65a")]

# ---- the format: GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt


def palette_of(frames):
    """The most used colours, and for every colour the index of the nearest of them."""
    used = Counter(colour for frame in frames for colour in frame)
    palette = [colour for colour, _ in sorted(used.items(), key=lambda item: (-item[1], item[0]))[:COLOURS]]
    nearest = {
        colour: min(range(len(palette)), key=lambda i: sum((p - q) ** 2 for p, q in zip(palette[i], colour)))
        for colour in used
    }
    return palette, nearest


def lzw(indices, bits):
    """Section 22 and Appendix F: codes of growing width, lowest bit first."""
    clear, end = 1 << bits, (1 << bits) + 1
    out, held, held_bits = bytearray(), 0, 0
    codes, width, known = {}, bits + 1, ()

    def put(code):
        nonlocal held, held_bits
        held |= code << held_bits
        held_bits += width
        while held_bits >= 8:
            out.append(held & 255)
            held >>= 8
            held_bits -= 8

    def reset():
        nonlocal codes, width
        codes, width = {(i,): i for i in range(clear)}, bits + 1

    reset()
    put(clear)
    for index in indices:
        longer = (*known, index)
        if longer in codes:
            known = longer
            continue
        put(codes[known])
        code = len(codes) + 2
        if code == 4096:
            put(clear)
            reset()
        else:
            codes[longer] = code
            if code == 1 << width:
                width += 1
        known = (index,)
    put(codes[known])
    put(end)
    if held_bits:
        out.append(held & 255)
    return bytes(out)


def changed_box(frame, before):
    """The smallest rectangle that holds all that changed; a still frame keeps one pixel."""
    places = [i for i, (new, old) in enumerate(zip(frame, before)) if new != old] or [0]
    columns, rows = [i % SIZE for i in places], [i // SIZE for i in places]
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1


def gif(frames):
    palette, nearest = palette_of(frames)
    frames = [[nearest[colour] for colour in frame] for frame in frames]
    same, bits = COLOURS, 6

    def word(number):
        return number.to_bytes(2, "little")

    out = bytearray(b"GIF89a" + word(SIZE) + word(SIZE) + bytes([0xF0 | (bits - 1), 0, 0]))
    for colour in [*palette, *[(0, 0, 0)] * (2**bits - len(palette))]:
        out += bytes(colour)
    out += b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # for ever
    before = None
    for frame in frames:
        left, top, right, bottom = changed_box(frame, before) if before else (0, 0, SIZE, SIZE)
        cells = [y * SIZE + x for y in range(top, bottom) for x in range(left, right)]
        indices = [same if before and before[i] == frame[i] else frame[i] for i in cells]
        out += b"\x21\xf9\x04\x05" + word(FRAME_HUNDREDTHS) + bytes([same, 0])
        out += b"\x2c" + word(left) + word(top) + word(right - left) + word(bottom - top) + bytes([0, bits])
        data = lzw(indices, bits)
        for i in range(0, len(data), 255):
            block = data[i : i + 255]
            out += bytes([len(block)]) + block
        out += b"\x00"
        before = frame
    return bytes(out + b"\x3b")


def main():
    for number, (draw, background) in enumerate(PICTURES, start=1):
        frames = []
        for i in range(FRAMES):
            canvas = [rgb(background)] * (SIZE * SIZE)
            draw(canvas, i / FRAMES)
            frames.append(canvas)
        data = gif(frames)
        assert len(data) < 60_000, f"{number}.gif has {len(data)} bytes"
        Path(__file__).with_name(f"{number}.gif").write_bytes(data)
        print(f"{number}.gif: {draw.__name__}, {len(data)} bytes")


if __name__ == "__main__":
    main()
