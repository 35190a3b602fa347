"""The file format of the pictures: GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt"""

from collections import Counter

COLOURS = 63  # and one index for "unchanged since the last frame": six bits in all
BITS = 6
ALIKE = 400  # squared distance: of two colours closer than this, only one gets into the palette


def distance(a, b):
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2


def palette_of(frames):
    """The palette of the most used colours that are not alike, and the nearest palette index of each colour."""
    used = Counter(colour for frame in frames for colour in frame)
    palette = []
    for colour, _ in sorted(used.items(), key=lambda item: (-item[1], item[0])):
        if len(palette) < COLOURS and all(distance(colour, other) >= ALIKE for other in palette):
            palette.append(colour)
    nearest = {colour: min(range(len(palette)), key=lambda i: distance(palette[i], colour)) for colour in used}
    return palette, nearest


def lzw(indices, bits):
    """LZW compression (section 22 and appendix F): codes of growing width, lowest bit first."""
    clear, end = 1 << bits, (1 << bits) + 1
    out, held, held_bits = bytearray(), 0, 0
    codes, width, known = {}, bits + 1, None  # (a known code, one more index) -> the code for both

    def put(code):
        nonlocal held, held_bits
        held |= code << held_bits
        held_bits += width
        while held_bits >= 8:
            out.append(held & 255)
            held >>= 8
            held_bits -= 8

    put(clear)
    for index in indices:
        if known is None:
            known = index
            continue
        if (known, index) in codes:
            known = codes[known, index]
            continue
        put(known)
        code = end + 1 + len(codes)
        if code == 4096:
            put(clear)
            codes, width = {}, bits + 1
        else:
            codes[known, index] = code
            if code == 1 << width:
                width += 1
        known = index
    put(known)
    put(end)
    if held_bits:
        out.append(held & 255)
    return bytes(out)


def changed_box(frame, before, size):
    """The smallest rectangle with all changed pixels; one pixel if nothing changed."""
    places = [i for i, (new, old) in enumerate(zip(frame, before)) if new != old] or [0]
    columns, rows = [i % size for i in places], [i // size for i in places]
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1


def word(number):
    return number.to_bytes(2, "little")


def gif(frames, size, hundredths):
    """An endless loop of square frames, each a list of colours shown for this many hundredths of a second."""
    palette, nearest = palette_of(frames)
    same = COLOURS
    out = bytearray(b"GIF89a" + word(size) + word(size) + bytes([0xF0 | (BITS - 1), 0, 0]))
    for colour in [*palette, *[(0, 0, 0)] * (2**BITS - len(palette))]:
        out += bytes(colour)
    out += b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"  # loop for ever
    before = None
    for colours in frames:
        frame = [nearest[colour] for colour in colours]
        left, top, right, bottom = changed_box(frame, before, size) if before else (0, 0, size, size)
        cells = [y * size + x for y in range(top, bottom) for x in range(left, right)]
        indices = [same if before and before[i] == frame[i] else frame[i] for i in cells]
        out += b"\x21\xf9\x04\x05" + word(hundredths) + bytes([same, 0])
        out += b"\x2c" + word(left) + word(top) + word(right - left) + word(bottom - top) + bytes([0, BITS])
        data = lzw(indices, BITS)
        for i in range(0, len(data), 255):
            block = data[i : i + 255]
            out += bytes([len(block)]) + block
        out += b"\x00"
        before = frame
    return bytes(out + b"\x3b")
