"""The scores of an entry along its optimization, as they are stored: of fixed length, -inf where nothing was made."""

import numpy as np
from jaxtyping import Float32


def made_steps(history: Float32[np.ndarray, " steps"]) -> Float32[np.ndarray, " made"]:
    """The scores of a stored history at the steps that were made.

    >>> made_steps(np.array([1.0, 2.0, -np.inf], np.float32)).tolist()
    [1.0, 2.0]
    """
    return history[: np.count_nonzero(history != -np.inf)]


def made_looks(clean_history: Float32[np.ndarray, "looks 1+images"]) -> Float32[np.ndarray, "made 1+images"]:
    """The looks of a stored clean history that were made.

    >>> made_looks(np.array([[0.0, 1.0], [-np.inf, -np.inf]], np.float32)).tolist()
    [[0.0, 1.0]]
    """
    return clean_history[clean_history[:, 0] != -np.inf]


def count_looks(steps: int) -> int:
    """Rows of a clean history: one at the start, and one after every 16 steps and after the last.

    >>> count_looks(40)
    4
    """
    return 1 + -(-steps // 16)
