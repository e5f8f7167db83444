"""A prior of one's own photographs: the file draws, Ctrl-C keeps a checkpoint, and refusals are one line."""

import numpy as np
import pytest
from PIL import Image
from support.tiny import SMALL, build

import featviz as fv
from featviz.cli.main import run
from featviz.errors import FeatvizError
from featviz.priors import Guided, fit_prior
from featviz.priors.fit_prior import checkpoint_path
from featviz.priors.prior_files import PriorRecord, read_prior

LITTLE = {"sizes": (16,), "widths": (8,), "batch": 2, "progress": False}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(4):
        (folder / str(index % 2)).mkdir(exist_ok=True)
        image = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((40, 48))
        image.save(folder / str(index % 2) / f"{index}.png")
    return folder


def test_the_file_draws_and_says_what_it_was_trained_on(photographs, tmp_path):
    out = tmp_path / "own.safetensors"
    record = fv.fit_prior(photographs, out=out, steps=3, trained_on="four patterns (CC0)", **LITTLE)
    assert record == read_prior(out)[1] == ("four patterns (CC0)", 3, None)
    recipe = fv.Recipe(prior=Guided(file=str(out)))
    picture = fv.render(build(), fv.logit(0), recipe=recipe, **SMALL)
    assert np.isfinite(picture.pixels).all() and picture.provenance["prior"]["file"] == "own.safetensors"
    # The same numbers again, and two steps more.
    again = fv.fit_prior(sorted(photographs.rglob("*.png")), out=tmp_path / "again.safetensors", steps=3, **LITTLE)
    assert again.trained_on == "4 photographs"
    for name, array in read_prior(out)[0].weights.items():
        np.testing.assert_array_equal(read_prior(tmp_path / "again.safetensors")[0].weights[name], array)
    assert fv.fit_prior(photographs, out=out, steps=5, resume=True, **LITTLE).steps == 5


def test_photographs_held_out_may_be_too_small_and_a_finished_training_keeps_its_loss(photographs, tmp_path):
    paths = sorted(photographs.rglob("*.png")) * 5
    small = tmp_path / "small.png"
    Image.open(paths[0]).resize((20, 20)).save(small)
    out = tmp_path / "own.safetensors"
    # Every 20th is held out.
    assert fv.fit_prior([*paths[:19], small], out=out, steps=1, **LITTLE).loss is None
    first = fv.fit_prior(paths, out=out, steps=1, **LITTLE)
    again = fv.fit_prior(paths, out=out, steps=1, resume=True, **LITTLE)
    assert first.loss is not None and again.loss == pytest.approx(first.loss, rel=1e-6)


def test_the_command_takes_sizes_of_crops_for_small_photographs(photographs, tmp_path, monkeypatch):
    def remember(photos, **options):
        given.update(options)
        return PriorRecord("4 photographs", 1, None)

    given = {}
    monkeypatch.setattr("featviz.priors.fit_prior.fit_prior", remember)
    words = ["prior", "fit", str(photographs), "-o", str(tmp_path / "own.safetensors"), "--quiet"]
    run([*words, "--sizes", "16,32"])
    assert given["sizes"] == (16, 32)
    run(words)
    assert given["sizes"] == (64, 128)
    with pytest.raises(SystemExit) as ended:
        run([*words, "--sizes", "4"])
    assert ended.value.code == 2


def test_ctrl_c_keeps_a_checkpoint(photographs, tmp_path, monkeypatch):
    class Bar:
        n, total = 0, None

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def update(self, steps):
            raise KeyboardInterrupt

    monkeypatch.setattr("featviz.priors.fit_prior.progress_bar", lambda *args, **options: Bar())
    out = tmp_path / "own.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fv.fit_prior(photographs, out=out, steps=3, **LITTLE)
    assert not out.exists() and checkpoint_path(out).exists()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"photos": "none"}, "`none` does not exist; expected a folder of photographs"),
        ({"photos": []}, "has 0 images; expected some hundred"),
        ({"photos": [np.zeros((8, 8, 3))] * 3}, "`photos` has a ndarray; expected a folder or a list of files"),
        ({"out": "own.png"}, "safetensors"),
        ({"steps": 0}, "`steps` is 0"),
        ({"minutes": 0.0}, "`minutes` is 0.0; expected a number above 0"),
        ({"sizes": (64,)}, "no photograph is large enough for a crop"),
    ],
)
def test_refusals(photographs, tmp_path, monkeypatch, change, line):
    monkeypatch.chdir(tmp_path)
    options = {"photos": photographs, "out": "own.safetensors", "steps": 2, **LITTLE, **change}
    with pytest.raises(FeatvizError, match=line) as caught:
        fv.fit_prior(options.pop("photos"), **options)
    assert "\n" not in str(caught.value)


def test_the_room_and_the_function_share_no_name():
    assert fit_prior.fit_prior is fv.fit_prior
