"""The planted shortcut, small: the units that are named carry it, and any others do not."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

pytest.importorskip("flax")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments"))

from planted_shortcut import COLOR, SQUARE, tell, with_square


def test_the_units_named_carry_the_shortcut_and_others_do_not():
    # Optax raises floats to the power of an integer.
    with jax.numpy_dtype_promotion("standard"):
        story = tell(steps=150, count=600, held_out=120, photos=3)
    assert story.before.fooled > 0.9
    # Without the square the network is right more often than by chance, and stays so.
    assert story.before.clean > 0.3
    least = min(row.named.fooled for row in story.rows)
    assert least < 0.2 < 0.6 < story.rows[0].random.fooled


def test_the_square_is_in_the_corner_and_nowhere_else():
    images = np.zeros((2, 64, 64, 3), np.float32)
    marked = with_square(images)
    assert not images.any() and (marked[:, -SQUARE:, -SQUARE:] == np.float32(COLOR)).all()
    assert marked.sum() == pytest.approx(2 * SQUARE**2 * sum(COLOR))
