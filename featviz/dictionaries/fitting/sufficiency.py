"""Whether there are positions enough for a number of latents: said before the training, with what would do."""

from featviz.dictionaries.fitting.harvest import HELD_OUT_EVERY
from featviz.errors import FeatvizError

# How often a latent should fire on average: a direction of hundreds of numbers is a mean over what fires it.
FIRINGS = 50


def check_sufficiency(layer: str, positions: int, photos: int, latents: int, k: int | None) -> None:
    """Refuses more latents than positions can decide.

    Args:
      layer: its name.
      positions: that are fitted to.
      photos: that they come from, held-out ones apart.
      latents: how many are wanted.
      k: how many fire at a position on average; None for kinds whose latents all do.

    Raises:
      FeatvizError: if each would fire fewer than 50 times, or there are more latents than positions; it says how many
        photos, held-out ones included, or latents would do.

    >>> check_sufficiency("blocks/6", 19_600, 100, 1536, 32)
    >>> check_sufficiency("blocks/6", 1960, 10, 1536, 32)
    Traceback (most recent call last):
    featviz.errors.FeatvizError: `photos`: 10 of them have 1960 positions of blocks/6, where each of 1536 latents fires
    41 times at k=32; expected 50: 14 photos with as many positions each, or 1254 latents
    """
    fires = latents if k is None else k
    needed = max(latents, -(-FIRINGS * latents // fires))
    if positions >= needed:
        return
    # Of the photographs that are given, one of ten is held out.
    training = -int(-needed // (positions / max(photos, 1))) if positions else 0
    wanted = training + (training - 1) // (HELD_OUT_EVERY - 1) if positions else "more"
    enough = f"{wanted} photos with as many positions each"
    found = f"`photos`: {photos} of them have {positions} positions of {layer}"
    if k is None:
        raise FeatvizError(f"{found} for {latents} latents; expected {needed} or more: {enough}")
    max_latents = min(positions, positions * k // FIRINGS)
    raise FeatvizError(
        f"{found}, where each of {latents} latents fires {positions * k / latents:.0f} times at k={k}; expected "
        f"{FIRINGS}: {enough}, or {max_latents} latents"
    )
