"""What an explanation's page shows before anything is pointed at."""

import re

import numpy as np
from PIL import Image

import featviz as fv
from featviz.attribution.explained_pictures import name_pictures
from featviz.attribution.methods import GradientTimesActivation

PHOTO = np.random.default_rng(0).random((16, 16, 3), np.float32)


def test_the_place_shown_first_is_one_whose_units_have_pictures_and_else_the_strongest(tiny, tmp_path):
    def first_place():
        options = {"layers": ["conv2/relu"], "method": GradientTimesActivation(), "draw": False, "progress": False}
        (made,) = fv.explain(tiny, PHOTO, out=tmp_path, groups=0, **options)
        row, column = re.search(r'data-start="(\d+)-(\d+)"', (tmp_path / "000000.html").read_text()).groups()
        return made.layers[0], (int(row), int(column))

    view, place = first_place()
    assert view.strengths[(*place, 0)] == view.strengths[..., 0].max()
    # Of another place all units have pictures, of the strongest not all.
    others = [at for at in np.ndindex(view.places.shape) if not set(view.strongest[place]) <= set(view.strongest[at])]
    for unit in view.strongest[others[0]]:
        file = tmp_path / name_pictures(tiny).address(fv.channel("conv2/relu", int(unit)))
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(file)
    view, place = first_place()
    drawn = set(view.strongest[others[0]].tolist())
    assert set(view.strongest[place].tolist()) <= drawn
