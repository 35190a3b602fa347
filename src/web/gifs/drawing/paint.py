"""Painting: shapes are filled over each other by the non-zero rule.

Edges are smooth: exact along a pixel row, fourfold down the rows.
"""

from math import ceil, floor

from drawing.shapes import around

SUBLINES = 4  # per pixel row
SHADES = 8  # at an edge: few, so that the palette is small and the frames compress well


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def mixed(a, b, share):
    """`share` of colour a over colour b."""
    return tuple(round(p * share + q * (1 - share)) for p, q in zip(a, b))


class Canvas:
    """A square of pixels, row by row."""

    def __init__(self, size, colour):
        self.size = size
        self.pixels = [rgb(colour)] * (size * size)


def crossings(contours, size):
    """For each subline of the canvas: its crossings with the contours, as (x, +1 or -1)."""
    found = {}
    for contour in contours:
        x0, y0 = contour[-1]
        for x1, y1 in contour:
            turn = 1 if y1 > y0 else -1
            first = max(0, ceil(min(y0, y1) * SUBLINES - 0.5))
            last = min(size * SUBLINES, ceil(max(y0, y1) * SUBLINES - 0.5))
            for line in range(first, last):
                y = (line + 0.5) / SUBLINES
                found.setdefault(line, []).append((x0 + (y - y0) * (x1 - x0) / (y1 - y0), turn))
            x0, y0 = x1, y1
    return found


def cover(row, start, end, weight):
    """Adds to each pixel of the row the share that the span covers."""
    start, end = max(start, 0.0), min(end, float(len(row)))
    if start >= end:
        return
    first, last = floor(start), min(floor(end), len(row) - 1)
    if first == last:
        row[first] += weight * (end - start)
        return
    row[first] += weight * (first + 1 - start)
    for x in range(first + 1, last):
        row[x] += weight
    row[last] += weight * (end - last)


def coverage(contours, size):
    """For each row that the contours touch: the share of every pixel that they cover."""
    found, rows = crossings(contours, size), {}
    for line in sorted(found):
        share = rows.setdefault(line // SUBLINES, [0.0] * size)
        winding, since = 0, 0.0
        for x, turn in sorted(found[line]):
            if winding == 0:
                since = x
            winding += turn
            if winding == 0:
                cover(share, since, x, 1 / SUBLINES)
    return rows


def fill(canvas, contours, colour, opacity=1.0, within=None):
    """Paints the inside of the contours; with `within`, only where those contours are filled too."""
    colour, size = rgb(colour), canvas.size
    mask = None if within is None else coverage(within, size)
    for row, share in coverage(contours, size).items():
        if mask is not None:
            share = map(min, share, mask.get(row, [0.0] * size))
        for x, amount in enumerate(share, start=row * size):
            if amount > 0:
                amount = round(min(amount, 1.0) * SHADES) / SHADES * opacity
                canvas.pixels[x] = colour if amount == 1 else mixed(colour, canvas.pixels[x], amount)


def outlined(canvas, contours, colour, edge, r=3):
    """Fills the contours, with an edge around all of them together."""
    fill(canvas, around(contours, r), edge)
    fill(canvas, contours, colour)
