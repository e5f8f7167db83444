"""Explanations of photos and their pages."""

import re
from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.parsed_pages import parse_page
from support.tiny import build

import featviz as fv
from featviz.attribution.attribute import check_layer
from featviz.attribution.class_units import class_units
from featviz.attribution.explained_layers import explained_layers
from featviz.attribution.explained_pictures import name_pictures
from featviz.attribution.explanation import explain_photo, title_of
from featviz.attribution.methods import Ablation, Conductance, GradientTimesActivation, Occlusion
from featviz.dictionaries.kinds import ReluSae
from featviz.errors import FeatvizError


class OneOutput(nn.Module):
    """A detector: one number, how sure it is."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, name="fc")(jnp.mean(nn.relu(nn.Conv(8, (3, 3), name="conv")(x)), axis=(1, 2)))


RNG = np.random.default_rng(0)
PHOTO = RNG.random((16, 16, 3), np.float32)
QUICK = {"layers": ["conv2/relu"], "method": GradientTimesActivation(), "draw": False, "progress": False}


def test_an_explanation_has_units_for_and_against_with_the_change_that_each_makes(tiny):
    made = explain_photo(
        tiny,
        "noise",
        PHOTO,
        layers=["conv1/relu", "conv2/relu"],
        objective=None,
        method=GradientTimesActivation(),
        units=3,
        group_count=2,
    )
    best = made.classes[0].index
    assert made.objective.class_index == best and made.title == f"logit:{best}"
    view = made.layers[1]
    assert all(share.attribution > 0 for share in view.supporting)
    assert all(share.attribution < 0 for share in view.opposing)
    for share in (*view.supporting, *view.opposing):
        edited = tiny.edited({"conv2/relu": fv.ablate(share.unit)})
        after = edited.apply(edited.weights, PHOTO[None], layers=["<output>"])["<output>"][0, best]
        assert share.effect == pytest.approx(float(after) - made.score, abs=1e-5)
    h = fv.observe(tiny, PHOTO, "conv2/relu")
    np.testing.assert_array_equal(view.strongest[..., 0], h.argmax(-1))
    np.testing.assert_allclose(view.strengths[..., 0], h.max(-1), rtol=1e-5)
    np.testing.assert_allclose(view.places, view.attribution.positions[0])
    assert view.groups is not None and view.groups.spatial.shape == (2, 8, 8)


def test_pages_are_written_and_say_what_was_found(tiny, tmp_path):
    made = fv.explain(
        tiny, [PHOTO, 1 - PHOTO], out=tmp_path, objective=fv.logit(3) - fv.logit(4), measure=True, **QUICK
    )
    assert [each.name for each in made] == ["000000", "000001"]
    page = (tmp_path / "000000.html").read_text()
    assert parse_page(tmp_path / "000000.html").links()
    assert "logit:3 rather than logit:4" in page and "correlation with ablation" in page
    share = made[0].layers[0].supporting[0]
    assert f"{share.attribution:+.2f}" in page and re.search(r"without it .\d\.\d\d", page)
    assert page.count("data-at=") == 64 and 'aria-label="row 1, column 1, ' in page
    # Nothing is fetched from elsewhere, and no script is inside.
    assert "http" not in page.replace("Content-Security-Policy", "").replace("http-equiv", "")
    assert (tmp_path / "assets" / "explanation.js").is_file()
    assert "000001.html" in (tmp_path / "index.html").read_text()


def test_pictures_are_drawn_where_they_are_missing(tiny, tmp_path):
    share = fv.explain(tiny, PHOTO, out=tmp_path, units=1, groups=0, **QUICK)[0].layers[0].supporting[0]
    files = name_pictures(tiny)
    kept = tmp_path / files.address(fv.channel("conv2/relu", share.unit))
    kept.parent.mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(kept)
    before = kept.read_bytes()
    made = fv.explain(tiny, PHOTO, out=tmp_path, units=1, groups=2, **QUICK | {"draw": True})
    # The photo, and one unit for the decision and one against it, with their pictures.
    shares = [share for view in made[0].layers for share in (*view.supporting, *view.opposing)]
    assert made._repr_html_().count("<img ") == 1 + len(shares)
    assert kept.read_bytes() == before
    shown = set(made[0].layers[0].strongest[..., 0].reshape(-1).tolist())
    assert any((tmp_path / files.address(fv.channel("conv2/relu", unit))).is_file() for unit in shown)
    page = (tmp_path / "000000.html").read_text()
    assert f"{files.name(fv.channel('conv2/relu', share.unit))}.webp" in page and "what group 2 looks for" in page
    for row in made[0].layers[0].groups.directions:
        assert files.name(fv.direction("conv2/relu", row)) in page


def test_pages_are_written_after_each_round_and_say_what_is_to_come(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("featviz.attribution.picture_order.DRAWN_PLACES", 2)
    page, seen = tmp_path / "000000.html", []

    def draw(model, objectives, folder, files, **options):
        (said,) = re.findall(r"(\d+) are still to come", page.read_text())
        seen.append((int(said), len(objectives), page.read_text().count("looks for")))
        for each in objectives:
            (folder / files.address(each)).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(folder / files.address(each))

    monkeypatch.setattr("featviz.attribution.explain.write_pictures", draw)
    made = fv.explain(tiny, PHOTO, out=tmp_path, units=4, groups=2, size=16, steps=5, **QUICK | {"draw": True})
    coming, drawn, shown = (np.array(column) for column in zip(*seen, strict=True))
    np.testing.assert_array_equal(coming[:-1] - drawn[:-1], coming[1:])
    assert coming[-1] == drawn[-1] and shown[0] == 0 and (np.diff(shown) >= 0).all() and shown[1] == drawn[0]
    assert "still to come" not in page.read_text() and "drawn at 16 x 16 px in 5 steps" in page.read_text()
    assert made[0].pictures.drawn.steps == 5


def test_a_folder_shows_no_picture_of_another_network_or_of_other_groups(tiny, tmp_path):
    fv.explain(tiny, PHOTO, out=tmp_path, units=1, groups=2, **QUICK | {"draw": True})
    old = {path.name for path in tmp_path.rglob("*.webp")}
    page = tmp_path / "000000.html"
    fv.explain(tiny, PHOTO, out=tmp_path, units=1, groups=3, **QUICK)
    for index in range(3):
        assert f"what group {index + 1} looks for" not in page.read_text()
    for other in (
        replace(tiny, weights=jax.tree.map(lambda leaf: leaf * 1.01, tiny.weights)),
        tiny.edited({"conv1": fv.ablate([0])}),
        tiny.edited({"conv1": fv.keep([0])}),
    ):
        fv.explain(other, PHOTO, out=tmp_path, units=1, groups=2, **QUICK)
        assert not any(name in page.read_text() for name in old)
    fv.explain(tiny, PHOTO, out=tmp_path, units=1, groups=2, **QUICK)
    assert "what group 2 looks for" in page.read_text()


def test_the_page_says_what_of_the_layer_before_feeds_each_group(tiny, tmp_path):
    layers = ["conv1/relu", "conv2/relu"]
    (made,) = fv.explain(tiny, PHOTO, out=tmp_path, groups=2, **QUICK | {"layers": layers})
    before, view = made.layers
    assert before.sources is None and (view.sources.layer, view.sources.of) == ("conv1/relu", "conv2/relu")
    assert view.sources.groups.shape == (2, 3)
    page = (tmp_path / "000000.html").read_text()
    assert "What of conv1/relu the groups come from" in page and page.count("<details name=") == 2
    # The other way round nothing is fed.
    (made,) = fv.explain(tiny, PHOTO, out=tmp_path, groups=2, **QUICK | {"layers": layers[::-1]})
    assert [each.sources for each in made.layers] == [None, None]


def test_latents_are_explained_with_what_their_dictionary_leaves_kept(tiny, tmp_path):
    rng, units = np.random.default_rng(1), tiny.layer("conv2/relu").units
    encoder = rng.normal(size=(units, 12)).astype(np.float32)
    parts = {"encoder": encoder, "decoder": encoder.T.copy(), "encoder_bias": np.zeros(12, np.float32)}
    dictionary = fv.Dictionary(ReluSae(decoder_bias=np.zeros(units, np.float32), **parts))
    model = tiny.with_dictionary("conv2/relu", dictionary)
    (made,) = fv.explain(model, PHOTO, out=tmp_path, groups=2, **QUICK | {"layers": None})
    # Whoever adds a dictionary asks about its latents.
    (view,) = made.layers
    assert view.layer == "conv2/relu/latents" and view.groups.directions.shape == (2, 12)
    score = tiny.apply(tiny.weights, made.photo[None], layers=["<output>"])["<output>"][0, made.classes[0].index]
    assert made.score == pytest.approx(float(score), abs=1e-5)
    for share in (*view.supporting, *view.opposing):
        edited = model.edited({"conv2/relu/latents": fv.ablate(share.unit)})
        after = edited.apply(edited.weights, made.photo[None], layers=["<output>"])["<output>"]
        after = after[0, made.classes[0].index]
        assert share.effect == pytest.approx(float(after) - made.score, abs=1e-4)
    # They feed groups, and are fed, like units.
    layers = ["conv1/relu", "conv2/relu/latents"]
    (made,) = fv.explain(model, PHOTO, out=tmp_path, groups=2, **QUICK | {"layers": layers})
    assert made.layers[1].sources.layer == "conv1/relu" and np.isfinite(made.layers[1].sources.units).all()


def test_a_grid_is_drawn_once_and_shown_beside_the_groups(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("featviz.attribution.activation_grid.STEPS", 2)
    monkeypatch.setattr("featviz.attribution.activation_grid.MAX_CELLS", 4)
    monkeypatch.setattr("featviz.attribution.picture_order.DRAWN_PLACES", 0)
    options = QUICK | {"draw": True, "grid": ["conv2/relu"], "groups": 0, "units": 1}
    fv.explain(tiny, PHOTO, out=tmp_path, **options)
    (sheet,) = tmp_path.rglob("grid-*.webp")
    before = sheet.stat().st_mtime_ns
    fv.explain(tiny, PHOTO, out=tmp_path, **options)
    assert sheet.stat().st_mtime_ns == before
    assert f'class="cells" src="{sheet.relative_to(tmp_path)}"' in (tmp_path / "000000.html").read_text()


def test_places_say_in_words_whether_they_speak_for_it(tiny, tmp_path):
    (made,) = fv.explain(tiny, PHOTO, out=tmp_path, groups=0, **QUICK)
    places, page = made.layers[0].places, (tmp_path / "000000.html").read_text()
    for row, column in ((0, 0), np.unravel_index(places.argmax(), places.shape)):
        side = "for" if places[row, column] > 0 else "against"
        assert f'aria-label="row {row + 1}, column {column + 1}, {side} it"' in page


def test_photos_are_files_folders_and_arrays(tiny, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray((PHOTO * 255).astype(np.uint8)).save(folder / name)
    made = fv.explain(tiny, [folder, folder / "a.png", PHOTO], out=tmp_path / "out", groups=0, **QUICK)
    assert [each.name for each in made] == ["a.png", "b.png", "2 a.png", "000003"]


def test_an_objective_within_the_network_is_explained_by_the_blocks_before_it(patterns):
    objective = fv.channel("mixed4a", 7)
    layers = explained_layers(patterns, None, objective=objective)
    assert layers == ("conv2", "mixed3a", "mixed3b")
    for layer in layers:
        check_layer(patterns, layer, objective, patterns.input.size)
    assert explained_layers(patterns, None, objective=fv.channel("conv1", 1)) == (patterns.layers[0].name,)


def test_of_paths_with_dots_the_outermost_modules_are_shown(tiny):
    names = ["stem", "stem.conv", "pool", *(f"layer{i}{part}" for i in range(4) for part in ("", ".0.conv"))]
    layers = tuple(replace(tiny.layers[0], name=name) for name in names)
    one_place = replace(tiny.layers[0], name="global_pool", shape=(1, 1, 80))
    shown = explained_layers(replace(tiny, layers=(*layers, one_place, tiny.layers[-1])), None)
    assert shown == ("layer0", "layer1", "layer2", "layer3")


def test_numbered_modules_that_reach_over_most_of_a_network_are_its_blocks(tiny):
    blocks = [f"encoder.stages.{i}{part}" for i in range(4) for part in ("", ".layers.0", ".layers.1")]
    layers = tuple(replace(tiny.layers[0], name=name) for name in ("embedder", "embedder.conv", *blocks, "encoder"))
    shown = explained_layers(replace(tiny, layers=(*layers, tiny.layers[-1])), None)
    assert shown == ("encoder.stages.1", "encoder.stages.2", "encoder.stages.3")
    part = tuple(replace(tiny.layers[0], name=f"neck.{i}") for i in range(4))
    others = tuple(replace(tiny.layers[0], name=name) for name in ("stem", "body", "mid", "top", "head"))
    shown = explained_layers(replace(tiny, layers=(*others, *part, tiny.layers[-1])), None)
    assert not any(name.startswith("neck") for name in shown)


def test_a_numbered_module_that_returns_several_arrays_is_a_block_by_the_first(tiny):
    blocks = [
        f"swin.encoder.layers.{i}{part}"
        for i in range(4)
        for part in (".blocks.0", ".blocks.1.mlp", ".blocks.1", ".norm", "/0", "/1")
    ]
    names = ("swin.embeddings.norm", "swin.embeddings", *blocks, "swin.encoder", "swin.layernorm")
    layers = tuple(replace(tiny.layers[0], name=name) for name in names)
    shown = explained_layers(replace(tiny, layers=(*layers, tiny.layers[-1])), None)
    assert shown == ("swin.encoder.layers.1/0", "swin.encoder.layers.2/0", "swin.encoder.layers.3/0")


def test_a_network_of_one_output_is_explained_by_it(tmp_path):
    one = build(OneOutput())
    (made,) = fv.explain(one, PHOTO, out=tmp_path, objective=fv.logit(0), **QUICK | {"layers": ["conv"]})
    output = one.apply(one.weights, made.photo[None], layers=["<output>"])["<output>"][0, 0]
    assert made.classes == () and made.score == pytest.approx(float(output), abs=1e-5)
    assert "<table" not in (tmp_path / "000000.html").read_text()
    with pytest.raises(FeatvizError, match="tiny has no classes; expected a target, such as logit:0 or a channel"):
        fv.explain(one, PHOTO, out=tmp_path, **QUICK | {"layers": ["conv"]})
    with pytest.raises(FeatvizError, match="tiny has one output, which is no class among others"):
        class_units(one, [PHOTO], 0, layers=["conv"])


@pytest.mark.parametrize("method", [Conductance(steps=2), Ablation()])
def test_a_page_shows_no_places_and_groups_that_its_method_does_not_tell_apart(tiny, tmp_path, method):
    (made,) = fv.explain(tiny, PHOTO, out=tmp_path, groups=2, **QUICK | {"method": method})
    view, page = made.layers[0], (tmp_path / "000000.html").read_text()
    assert view.places.shape == (8, 8) and view.places.any() == method.per_position
    assert ("which does not tell places apart" in page) != method.per_position
    assert (view.groups is not None) == method.by_activation
    assert ("No groups of units: conductance does not tell them apart." in page) != method.by_activation


def test_layers_are_chosen_and_titles_have_names(patterns):
    assert explained_layers(patterns, ["conv2", "conv1", "conv2"]) == ("conv2", "conv1")
    assert len(explained_layers(patterns, None)) <= 4
    assert explained_layers(patterns, None, objective=fv.logit(0)) == explained_layers(patterns, None)
    assert title_of(2.0 * fv.channel("conv1", 3), patterns) == "2 * conv1:3"
    assert title_of(fv.logit(0), patterns) == patterns.classes[0].split(",")[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ["conv9"]}, "tiny has no layer `conv9`"),
        ({"layers": []}, r"`layers` is \[\]; expected a list of names"),
        ({"objective": fv.logit(99)}, "`unit` 99 is out of range; the output has 80"),
        ({"objective": fv.channel("conv1", 1)}, "`layer` is `conv2/relu`, which `conv1` is not computed from"),
        ({"objective": fv.logit(1) - fv.logit(1)}, "which is zero; expected two different terms"),
        ({"objective": 3, "layers": None}, "`objective` is 3; expected an Objective"),
        ({"method": Occlusion()}, "`method` is occlusion, which does not tell units apart; expected another"),
        ({"grid": ["conv1"]}, "`grid` has `conv1`, which is not among the layers shown: conv2/relu"),
        ({"grid": "conv2/relu"}, "`grid` is 'conv2/relu'; expected a list of names, such as"),
        ({"grid": ["conv2/relu"], "draw": False}, "`grid` is given without `draw`; expected draw=True"),
        ({"steps": 0}, "`steps` is 0; expected a whole number from 1"),
        ({"size": 4}, "`size` is 4; expected a whole number from 8"),
        ({"units": 0}, "`units` is 0; expected a whole number from 1"),
        ({"photos": "nowhere.png"}, "`photos`: `nowhere.png` cannot be read"),
        ({"photos": []}, "`photos` is empty"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(tiny, tmp_path, changes, message):
    given = {"photos": PHOTO, **QUICK, **changes}
    photos = given.pop("photos")
    with pytest.raises(FeatvizError, match=message):
        fv.explain(tiny, photos, out=tmp_path, **given)


def test_one_pil_image_or_a_batch_is_taken_and_what_is_none_is_refused(tiny, tmp_path):
    image = Image.fromarray((PHOTO * 255).astype(np.uint8))
    (made,) = fv.explain(tiny, image, out=tmp_path, groups=0, **QUICK)
    assert made.name == "000000"
    both = fv.explain(tiny, np.stack([PHOTO, 1 - PHOTO]), out=tmp_path, groups=0, **QUICK)
    assert [each.name for each in both] == ["000000", "000001"]
    with pytest.raises(FeatvizError, match="`photos` is a int; expected a photo, a folder, or a list of them"):
        fv.explain(tiny, 3, out=tmp_path, groups=0, **QUICK)


def test_pages_have_files_of_their_own_whatever_photos_are_called(tiny, tmp_path):
    folders = [tmp_path / str(index) for index in range(3)]
    files = [folders[0] / "index", folders[1] / "INDEX", folders[0] / "2 INDEX", folders[2] / "cat"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        Image.fromarray((PHOTO * 255).astype(np.uint8)).save(file, "png")
    out = tmp_path / "out"
    made = fv.explain(tiny, files, out=out, groups=0, **QUICK)
    assert [each.name for each in made] == ["index", "2 INDEX", "2 2 INDEX", "cat"]
    pages = [file.name for file in out.iterdir() if file.suffix == ".html"]
    assert len({page.lower() for page in pages}) == 5 and "index.html" in pages
    listing = (out / "index.html").read_text()
    assert "%2569ndex.html" in listing and (out / "%69ndex.html").is_file()
