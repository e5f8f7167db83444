"""Weights and photographs for experiments and benchmarks, from $FEATVIZ_TEST_DATA, or ../shared if it is not set."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(os.environ.get("FEATVIZ_TEST_DATA", Path(__file__).resolve().parents[1] / ".." / "shared"))


def network(name: str) -> Path:
    """The weights file of a network; exits with a one-line message if it is missing."""
    path = FOLDER / "networks" / f"{name}.safetensors"
    if not path.is_file():
        sys.exit(f"{path.name} is not in {FOLDER / 'networks'}; set FEATVIZ_TEST_DATA to a folder that holds networks/")
    return path


def photo_crops(size: int, *, batch: int = 25) -> Iterator[np.ndarray]:
    """Center crops of all photographs, in batches of (batch, size, size, 3), float32 in [0,1]."""
    paths = sorted((FOLDER / "photos").glob("*.jpg"))
    for first in range(0, len(paths), batch):
        crops = []
        for path in paths[first : first + batch]:
            with Image.open(path) as image:
                left, top = (image.width - size) // 2, (image.height - size) // 2
                box = (left, top, left + size, top + size)
                crops.append(np.asarray(image.convert("RGB").crop(box), np.float32) / 255)
        yield np.stack(crops)
