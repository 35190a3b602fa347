"""Geometry: a shape is a list of contours, a contour a list of points (x, y), y growing downwards.

Contours that are filled together turn the same way, clockwise as seen, so that overlaps stay filled.
"""

from math import cos, pi, sin, tau


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


def around(contours, r):
    """A round pen along whole contours."""
    return [part for contour in contours for part in stroke([*contour, contour[0]], r)]


def arc(x, y, r, start, end, steps=12):
    """Points on a circle, angles in degrees."""
    angles = (start + (end - start) * i / steps for i in range(steps + 1))
    return [(x + r * cos(a * pi / 180), y + r * sin(a * pi / 180)) for a in angles]


def rounded(x0, y0, x1, y1, r):
    corners = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180), (x1 - r, y0 + r, 270))
    return [p for x, y, a in corners for p in arc(x, y, r, a, a + 90, 6)]


def smooth(points, steps=6):
    """A closed curve through the points (Catmull-Rom)."""
    curve = []
    for i in range(len(points)):
        corners = [points[(i + k) % len(points)] for k in (-1, 0, 1, 2)]
        for step in range(steps):
            u = step / steps
            weights = (-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, u**3 - u**2)
            x = sum(w * corner[0] for w, corner in zip(weights, corners)) / 2
            y = sum(w * corner[1] for w, corner in zip(weights, corners)) / 2
            curve.append((x, y))
    return curve


def symmetric(top, right, bottom, middle=90):
    """A smooth closed curve whose right half is given, from the top downwards."""
    left = [(2 * middle - x, y) for x, y in reversed(right)]
    return smooth([(middle, top), *right, (middle, bottom), *left])


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


def drop(x, y, r, steps=28):
    """A drop about as wide as a circle of radius r, its tip up."""
    angles = (tau * i / steps for i in range(steps))
    return [(x + 1.25 * r * sin(a) * sin(a / 2) ** 1.5, y - 1.45 * r * cos(a)) for a in angles]


def grin(x, y, rx, ry, sag=5):
    """An open mouth: its upper edge sags a little, the lower one is half an ellipse."""
    lower = [(x + rx * cos(pi * i / 16), y + ry * sin(pi * i / 16)) for i in range(17)]
    upper = [(x + rx * (i / 4 - 1), y + sag * sin(pi * i / 8)) for i in range(1, 8)]
    return lower + upper


def turned(contours, degrees, x, y, scale=1.0):
    c, s = scale * cos(degrees * pi / 180), scale * sin(degrees * pi / 180)

    def turn(px, py):
        return x + (px - x) * c - (py - y) * s, y + (px - x) * s + (py - y) * c

    return [[turn(*point) for point in contour] for contour in contours]


def moved(contours, dx, dy):
    return [[(x + dx, y + dy) for x, y in contour] for contour in contours]


def mirrored(contours, x=90):
    """Mirrored at the vertical line at x; the points are reversed, to keep their direction of rotation."""
    return [[(2 * x - px, py) for px, py in reversed(contour)] for contour in contours]
