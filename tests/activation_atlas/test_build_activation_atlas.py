"""A map from photographs to its page: what it holds, resumed, stopped, refused."""

from dataclasses import replace

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from support.dictionaries import draw_autoencoder
from support.tiny import build as build_network

import featviz as fv
from featviz.activation_atlas import map_drawing
from featviz.activation_atlas.class_activations import class_rows, class_shares
from featviz.activation_atlas.kept_classes import kept_classes
from featviz.activation_atlas.map_positions import sample_positions
from featviz.activation_atlas.map_store import open_map
from featviz.activation_atlas.own_photos import place_photos
from featviz.activation_atlas.whitening import measure_moments, whitened_directions
from featviz.dictionaries.kinds import TopKSae
from featviz.errors import FeatvizError
from featviz.surveys.photos import find_photos

PHOTOS = list(np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8))
OPTIONS = {"levels": (2, 3), "layout": "pca", "size": 16, "steps": 4, "per_photo": 8, "progress": False}


def build(model, out, **options):
    return fv.build_activation_atlas(model, "conv1/relu", PHOTOS, out=out, **{**OPTIONS, **options})


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    return build(tiny, tmp_path_factory.mktemp("map") / "m")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sampled(model, made):
    options = {"per_photo": 8, "seed": 0, "tokens": False, "progress": False}
    return sample_positions(model, "conv1/relu", find_photos(PHOTOS), made.folder / "activations", **options)


def kept_classes_of(model, made):
    options = (find_photos(PHOTOS), sampled(model, made), open_map(made.folder))
    return kept_classes(model, "conv1/relu", *options, progress=False)


def test_cells_have_pictures_classes_photos_and_neighbors(made):
    assert [level.cells.side for level in made.levels] == [2, 3] and made.layout == "pca"
    assert made.places.shape == (96, 2) and len(made.photo) == 96
    for level in made.levels:
        count = len(level)
        assert 1 < count <= level.cells.side**2 and level.pictures.shape == (count, 16, 16, 3)
        assert level.neighbors.shape == (count, min(4, count - 1))
        assert all(
            rows and set(rows) <= set(members)
            for rows, members in zip(level.exemplars, level.cells.members, strict=True)
        )
        assert all(score > 0 for listed in level.classes for _, score in listed)
        # Pictures of different cells differ.
        assert len({picture.tobytes() for picture in level.pictures}) == count


def test_pictures_are_those_of_render(tiny, made):
    level = made.levels[0]
    positions = sampled(tiny, made)
    directions = whitened_directions(level.cells.means, measure_moments(positions.values, positions.center))
    objective = fv.direction("conv1/relu", directions[1], power=2.0, index=1)
    picture = fv.render(tiny, objective, size=16, steps=4, progress=False)
    np.testing.assert_array_equal(level.pictures[1], picture.to_uint8()[..., :3])


def test_the_same_call_changes_no_file(tiny, made):
    before = files(made.folder)
    again = build(tiny, made.folder)
    assert files(made.folder) == before
    np.testing.assert_array_equal(again.levels[1].pictures, made.levels[1].pictures)


def test_stopped_and_resumed_it_is_the_same(tiny, made, tmp_path, monkeypatch):
    written = []
    whole = map_drawing.Entries.write

    def stop_after_three(self, unit, pictures):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(unit)
        whole(self, unit, pictures)

    monkeypatch.setattr(map_drawing.Entries, "write", stop_after_three)
    with pytest.raises(KeyboardInterrupt):
        build(tiny, tmp_path / "m")
    assert not (tmp_path / "m" / "index.html").exists()
    monkeypatch.setattr(map_drawing.Entries, "write", lambda *args: (written.append(args[1]), whole(*args)))
    resumed = build(tiny, tmp_path / "m")
    # None is drawn twice.
    assert len(written) == sum(map(len, resumed.levels))
    for level, other in zip(resumed.levels, made.levels, strict=True):
        np.testing.assert_array_equal(level.pictures, other.pictures)
    pages = {name: data for name, data in files(made.folder).items() if not name.startswith(("map", "activations"))}
    assert {name: files(tmp_path / "m").get(name) for name in pages} == pages


def test_a_damaged_picture_is_drawn_again(tiny, made, tmp_path):
    first = build(tiny, tmp_path / "m", levels=(2,))
    (path,) = (tmp_path / "m" / "map" / "pictures").glob("2x2-*/pixels/c.0.*")
    path.write_bytes(b"?" * 20)
    np.testing.assert_array_equal(build(tiny, tmp_path / "m", levels=(2,)).levels[0].pictures, first.levels[0].pictures)


def test_other_steps_are_drawn_beside_the_old_ones(tiny, made):
    other = build(tiny, made.folder, steps=5, levels=(2,))
    assert (other.levels[0].pictures != made.levels[0].pictures).any()
    assert len(list((made.folder / "map" / "pictures").glob("2x2-*"))) == 2
    assert [path.name for path in (made.folder / "levels").iterdir()] == ["2.webp"]
    build(tiny, made.folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_photo": 0}, "`per_photo` is 0"),
        ({"per_photo": 9}, "holds activations with other sampling"),
        ({"min_photos": 0}, "`min_photos` is 0"),
        ({"min_photos": 13}, "no cell has activations of 13 photos"),
        ({"levels": ()}, "`levels` is"),
        ({"layout": "tsne"}, "`layout` is `tsne`"),
        ({"size": 3}, "`size`"),
        ({"steps": 0}, "`steps` is 0"),
        ({"seed": -1}, "`seed` is -1"),
        ({"recipe": "nothing"}, "nothing"),
        ({"against": 3}, "`against` is given without `of`"),
        ({"of": 3, "against": 3}, "`against` is the class that `of` is"),
        ({"of": 3.5}, "`of` is 3.5; expected one of the 80 classes"),
        ({"of": 80}, "`of` is 80; expected one of the 80 classes of tiny, 0 to 79"),
        ({"own_photos": ["nowhere.png"]}, "`own_photos`: `nowhere.png` cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line(tiny, made, options, message):
    with pytest.raises(FeatvizError, match=message) as error:
        build(tiny, made.folder, **options)
    assert "\n" not in str(error.value)


def test_the_map_of_a_class_has_what_speaks_for_it(tiny, made):
    whole = kept_classes_of(tiny, made)
    counts = np.bincount(whole.classes.reshape(-1), minlength=80)
    first, second = (int(index) for index in np.argsort(-counts, kind="stable")[:2])
    one = build(tiny, made.folder, of=first, levels=(2,), min_photos=1)
    rows = class_rows(whole, made.photo, first)
    assert one.subject == f"class {first}" and len(one.photo) == len(rows) < len(made.photo)
    assert all(any(index == first for index, _ in listed) for listed in one.levels[0].classes)
    two = build(tiny, made.folder, of=first, against=second, levels=(2,), min_photos=1)
    rows = np.union1d(rows, class_rows(whole, made.photo, second))
    shares = [class_shares(whole, made.photo, index)[rows] for index in (first, second)]
    assert two.subject == f"class {first} rather than class {second}" and len(two.photo) == len(rows)
    order = np.argsort(shares[0] - shares[1], kind="stable")
    assert (np.diff(two.places[order, 0]) >= 0).all()
    said = f"from left to right what adds to class {first} rather than to class {second};"
    page = (made.folder / "index.html").read_text()
    assert f"on the left those that speak for class {second}, on the right those for class {first}." in page
    assert said in (made.folder / "index.html").read_text()
    build(tiny, made.folder)


def test_a_photo_of_the_map_lies_where_its_activations_lie(tiny, made):
    (own,) = place_photos(
        tiny, "conv1/relu", [PHOTOS[3]], sampled(tiny, made).values, made.places, np.zeros(80, np.float32)
    )
    positions = sampled(tiny, made)
    mine = positions.photo == 3
    # The nearest activation is itself; others within a tenth of the map count too.
    distances = np.linalg.norm(own.places[positions.position[mine]] - made.places[mine], axis=1)
    assert own.places.shape == (64, 2) and distances.max() < 0.1
    build(tiny, made.folder, own_photos=PHOTOS[:2], levels=(2,))
    assert sorted(path.name for path in (made.folder / "photos").glob("own-*")) == ["own-0.webp", "own-1.webp"]
    build(tiny, made.folder)
    assert not list((made.folder / "photos").glob("own-*"))


def test_a_photo_that_cannot_be_read_is_refused_before_anything_is_drawn(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(map_drawing.Entries, "write", lambda *args: pytest.fail("a picture is drawn"))
    with pytest.raises(FeatvizError, match="`own_photos`: `nowhere.png` cannot be read"):
        build(tiny, tmp_path / "m", own_photos=["nowhere.png"])


def test_classes_that_cannot_be_written_are_one_line(tiny, made, tmp_path, monkeypatch):
    def growing(store, name, shapes):
        raise_full = type("Full", (), {"attrs": {"done": 0}, "__getitem__": lambda *args: full()})
        return raise_full()

    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("featviz.activation_atlas.kept_classes.growing_arrays", growing)
    with pytest.raises(FeatvizError, match="cannot be written: No space left on device"):
        kept_classes_of(tiny, made)


def test_layers_and_folders_that_do_not_fit_are_refused(tiny, tmp_path):
    with pytest.raises(FeatvizError, match="`layer` is `fc` of shape .* with positions"):
        fv.build_activation_atlas(tiny, "fc", PHOTOS, out=tmp_path / "m", **OPTIONS)
    with pytest.raises(FeatvizError, match="conv1/relu"):
        fv.build_activation_atlas(tiny, "conv1/relux", PHOTOS, out=tmp_path / "m", **OPTIONS)
    with pytest.raises(FeatvizError, match="none of 0 images|none came|holds no image|empty"):
        fv.build_activation_atlas(tiny, "conv1/relu", [], out=tmp_path / "empty", **OPTIONS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("")
    with pytest.raises(FeatvizError, match="holds other files; expected a new folder"):
        build(tiny, tmp_path / "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(FeatvizError, match="is a file"):
        build(tiny, tmp_path / "file")


def test_of_more_channels_those_that_the_network_names_are_shown(tmp_path):
    network = build_network(channels=5)
    photos = list(np.random.default_rng(0).integers(0, 256, (12, 16, 16, 5), np.uint8))
    options = {**OPTIONS, "levels": (2,), "steps": 1}
    shown = []
    for rgb in ((), (4, 2, 0)):
        model = replace(network, input=replace(network.input, rgb=rgb))
        made = fv.build_activation_atlas(model, "conv1/relu", photos, out=tmp_path / f"m{len(rgb)}", **options)
        shown.append(made.levels[0].pictures)
    first, chosen = shown
    assert first.shape == chosen.shape and first.shape[-1] == 3
    # The first three are 0, 1 and 2, of which two are among the chosen ones.
    np.testing.assert_array_equal(first[..., [2, 0]], chosen[..., [1, 2]])


def test_the_latents_of_a_dictionary_make_a_map(tiny, tmp_path):
    arrays = draw_autoencoder(np.random.default_rng(0), units=80, latents=120)
    model = tiny.with_dictionary("conv1/relu", fv.Dictionary(TopKSae(**arrays, k=6)))
    options = {**OPTIONS, "levels": (2,), "min_photos": 1}
    made = fv.build_activation_atlas(model, "conv1/relu/latents", PHOTOS, out=tmp_path / "m", **options)
    (level,) = made.levels
    # Means of what is sparse, of latents that are never negative.
    assert level.cells.means.shape == (len(level), 120) and (level.cells.means >= 0).all()
    assert "from the mean" not in made.facts["pictures"] and any(level.classes)
    assert len({picture.tobytes() for picture in level.pictures}) == len(level) > 1


class Tokens(nn.Module):
    """A class token and sixteen patches, which a mean mixes."""

    @nn.compact
    def __call__(self, x):
        patches = nn.Conv(12, (4, 4), strides=4, name="patches")(x).reshape(x.shape[0], 16, 12)
        token = self.param("token", nn.initializers.normal(1.0), (1, 1, 12))
        tokens = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, 12)), patches], 1)
        tokens = nn.Dense(10, name="mix")(tokens + tokens.mean(1, keepdims=True))
        return nn.Dense(4, name="head")(nn.relu(tokens).mean(1))


def test_of_tokens_the_patches_are_laid_out(tmp_path):
    model = build_network(Tokens())
    options = {**OPTIONS, "levels": (2,), "per_photo": 100}
    made = fv.build_activation_atlas(model, "mix", PHOTOS, out=tmp_path / "m", own_photos=PHOTOS[:1], **options)
    assert len(made.photo) == 12 * 16 and len(made.levels[0]) > 1
    assert any(made.levels[0].classes) and "from the mean of all activations" in made.facts["pictures"]
    assert (tmp_path / "m" / "photos" / "own-0.webp").is_file()
