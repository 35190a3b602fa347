"""How things move within a loop: t runs from 0 to 1, and what holds at its end holds at its start."""


def eased(t, start, end):
    """0 until `start`, 1 from `end`, and softly from one to the other."""
    share = min(max((t - start) / (end - start), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def held(t, start, up, down, end):
    """Rises from `start` to `up`, stays at 1, and falls from `down` to `end`."""
    return eased(t, start, up) - eased(t, down, end)


def faded(life, share=0.2):
    """The size of something that comes into being, lives and goes: 0 → 1 → 0 over its life."""
    return min(1.0, life / share, (1 - life) / share)
