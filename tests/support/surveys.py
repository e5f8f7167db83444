"""What the tests of surveys share: images, folders of them, and when two surveys are the same."""

import numpy as np
import pytest
from PIL import Image

from featviz.errors import FeatvizError
from featviz.surveys.run_survey import survey

LAYERS = ["conv1", "conv2", "fc"]
COUNT = 300
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 16, 16, 3), np.uint8)


def make_folder(path, images, *, broken=()):
    path.mkdir()
    for number, image in enumerate(images):
        file = path / f"{number:04d}.png"
        if number in broken:
            file.write_bytes(b"no image")
        else:
            Image.fromarray(image).save(file, compress_level=1)
    return path


def arrays_of(made):
    return {(layer, what): getattr(made, what)(layer) for layer in made.layers for what in ("maxima", "positions")}


def assert_same(first, second):
    a, b = arrays_of(first), arrays_of(second)
    assert a.keys() == b.keys() and all(np.array_equal(a[key], b[key], equal_nan=True) for key in a)
    assert first.names == second.names and first.faults == second.faults and len(first) == len(second)


def refused(says, call, *args, **options):
    with pytest.raises(FeatvizError) as error:
        call(*args, **{"progress": False, **options} if call is survey else options)
    assert says in str(error.value) and str(error.value).isprintable() and len(str(error.value)) < 400
