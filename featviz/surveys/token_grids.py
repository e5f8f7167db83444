"""How a transformer's tokens lie in the image: rows and columns of patches, after class tokens and registers."""

import math

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
    shared = math.gcd(height, width)
    for patch in range(1, shared + 1):
        rows, columns = height // patch, width // patch
        if shared % patch == 0 and rows * columns <= tokens:
            if tokens - rows * columns <= UNLOCATED:
                return rows, columns
            break  # larger patches leave more over
    return max(_nearly(tokens, size), key=lambda grid: (grid[0] * grid[1], -abs(grid[0] * width - grid[1] * height)))


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
