"""How a transformer's tokens lie in the image: rows and columns of patches, after class tokens and registers.

A network's program does not say so: it is a guess by their number, which other tokens may have too, such as learned
queries. What no grid of patches fits is said.
"""

import math
import warnings
from collections.abc import Mapping

# Tokens without a location that a network has at most, such as a class token and registers (Darcet et al. 2024).
UNLOCATED = 8


def token_grid(tokens: int, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of patches; the tokens that are left over come first and have no location.

    Patches are square. Those that divide the image are looked for first, then those of nearly its proportions that
    leave the fewest tokens over, as where a network omits or pads a border.

    Args:
      tokens: how many there are.
      size: (height, width) of the images in pixels.

    >>> token_grid(197, (224, 224)), token_grid(99, (224, 112)), token_grid(17, (64, 48)), token_grid(196, (230, 230))
    ((14, 14), (14, 7), (4, 3), (14, 14))
    """
    height, width = size
    nearest = _patches(tokens, size) or max(
        _nearly(tokens, size), key=lambda grid: (grid[0] * grid[1], -abs(grid[0] * width - grid[1] * height))
    )
    return nearest


def warn_of_guessed_places(
    shapes: Mapping[str, tuple[int, ...]], size: tuple[int, int], *, stacklevel: int = 3
) -> None:
    """Says of which layers it is not certain where their positions lie in the image.

    Args:
      shapes: by layer, that of its activations without the batch.
      size: (height, width) of the images in pixels.
      stacklevel: of the warning, counted from here.
    """
    guessed = {layer: how for layer, shape in shapes.items() if (how := _guess(shape, size))}
    if guessed:
        layer, how = next(iter(guessed.items()))
        more = f" (and of {len(guessed) - 1} more)" if len(guessed) > 1 else ""
        warnings.warn(
            f"where the positions of `{layer}`{more} lie in the image is a guess: {how}; crops and maps of photographs "
            "may show other places than those that excite a unit",
            stacklevel=stacklevel,
        )


def _guess(shape: tuple[int, ...], size: tuple[int, int]) -> str | None:
    """What positions are taken for, where their number does not say so or contradicts it."""
    height, width = size
    if len(shape) == 2 and shape[0] > 1 and _patches(shape[0], size) is None:
        rows, columns = token_grid(shape[0], size)
        return f"its {shape[0]} tokens fit no grid of patches and are taken for {rows} x {columns}"
    if len(shape) == 3 and abs(shape[0] * width - shape[1] * height) >= 2 * max(height, width):
        grid = _patches(shape[0] * shape[1], size)
        if grid is not None and grid[0] * grid[1] == shape[0] * shape[1]:
            rows, columns = shape[:2]
            return f"its {rows} x {columns} positions, perhaps windows and their tokens, are taken for rows and columns"
    return None


def _patches(tokens: int, size: tuple[int, int]) -> tuple[int, int] | None:
    """The grid of those square patches that divide the image and leave few tokens over; None where there is none."""
    height, width = size
    shared = math.gcd(height, width)
    for patch in range(1, shared + 1):
        rows, columns = height // patch, width // patch
        if shared % patch == 0 and rows * columns <= tokens:
            # Larger patches leave more over.
            return (rows, columns) if tokens - rows * columns <= UNLOCATED else None
    return None


def _nearly(tokens: int, size: tuple[int, int]) -> set[tuple[int, int]]:
    """Grids of at most as many patches, of the proportions of the image within a row or a column."""
    height, width = size
    found = {(1, 1)}
    for longer in range(1, tokens + 1):
        exact = longer * min(size) / max(size)
        for shorter in {math.floor(exact), math.ceil(exact)} - {0}:
            if longer * shorter <= tokens:
                found.add((longer, shorter) if height >= width else (shorter, longer))
    return found
