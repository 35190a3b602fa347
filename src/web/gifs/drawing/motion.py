"""Motion within a loop: t runs from 0 to 1, and the end must match the start."""


def eased(t, start, end):
    """0 until `start`, 1 from `end`, with a soft transition in between."""
    share = min(max((t - start) / (end - start), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def held(t, start, up, down, end):
    """Rises from `start` to `up`, stays at 1, and falls from `down` to `end`."""
    return eased(t, start, up) - eased(t, down, end)


def faded(life, share=0.2):
    """The size of something that appears, stays and disappears: 0 → 1 → 0 over its life."""
    return min(1.0, life / share, (1 - life) / share)
