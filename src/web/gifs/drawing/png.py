"""The format of the icons: PNG with a palette, https://www.w3.org/TR/png-3/"""

import zlib


def chunk(kind, data):
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(pixels, size):
    """A square picture of at most 256 colours."""
    palette = sorted(set(pixels))
    index = {colour: i for i, colour in enumerate(palette)}
    # Each row begins with its filter type; 0 is none.
    rows = b"".join(
        b"\0" + bytes(index[colour] for colour in pixels[start : start + size])
        for start in range(0, size * size, size)
    )
    side, depth, indexed = size.to_bytes(4, "big"), 8, 3
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", side + side + bytes([depth, indexed, 0, 0, 0]))
        + chunk(b"PLTE", b"".join(map(bytes, palette)))
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )
