"""The drawn patterns that the built-in network was trained on."""

import sys
from pathlib import Path

import numpy as np


def drawn_patterns(count):
    folder = str(Path(__file__).resolve().parents[2] / "experiments")
    sys.path.insert(0, folder)
    try:
        from pattern_images import generate
    finally:
        sys.path.remove(folder)
    return generate(np.random.default_rng(5), np.arange(count) % 58)[0]
