"""Evidence on a small network: every figure is there, pictures that lie score less, and bad input is refused."""

import json

import numpy as np
import pytest
from PIL import Image

import featviz as fv
from featviz.ascent.outcome import Outcome
from featviz.errors import FeatvizError
from featviz.evaluation.evidence_drawing import verdict
from featviz.evaluation.features import Features, features_of, fit
from featviz.evaluation.layer_paths import layers_below, pooled_in
from featviz.evaluation.reference_statistics import phi_of_photos
from featviz.pictures.picture import Picture

LAYER = "mixed3b"


def photo(rng: np.random.Generator) -> np.ndarray:
    """A field of blobs of one scale, so that photographs differ in what units see."""
    scale = int(rng.choice([4, 8, 16, 32]))
    small = rng.integers(0, 256, (64 // scale, 64 // scale, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC))


def picture_of(pixels: np.ndarray, unit: int) -> Picture:
    return Picture(pixels.astype(np.float32) / 255, 1.0, Outcome.OUT_OF_STEPS, np.zeros(1), {"name": f"{LAYER}:{unit}"})


@pytest.fixture(scope="module")
def survey(patterns, tmp_path_factory):
    rng = np.random.default_rng(0)
    photos = [photo(rng) for _ in range(60)]
    return fv.survey(patterns, photos, out=tmp_path_factory.mktemp("s") / "survey", layers=[LAYER], progress=False)


@pytest.fixture(scope="module")
def found(survey, patterns):
    best = survey.maxima(LAYER).argmax(0)
    pictures = [picture_of(survey.photo(best[unit]), unit) for unit in range(6)]
    return fv.evidence(pictures, survey, other=Features(patterns, "mixed3a"), progress=False)


def test_a_units_best_photograph_is_alive_and_selective(found, survey):
    for row in found.rows:
        unit = int(row.name.split(":")[1])
        column = survey.maxima(LAYER, units=unit)
        assert row.activation == pytest.approx(float(column.max()), rel=1e-4)
        numbers = np.arange(len(survey))[::2]
        assert row.deviations == pytest.approx(
            (column.max() - column[numbers].mean()) / column[numbers].std(), rel=1e-3
        )
        assert row.percentile > 95
        assert 1 <= row.rank <= survey.layer(LAYER).units


def test_photographs_predict_and_the_share_is_one(found):
    assert np.nanmean(found.column("photos")) > 0.6
    for figure in ("predicts", "predicts_hard", "photos", "others"):
        values = found.column(figure)
        assert ((values >= 0) & (values <= 1)).all()


def test_the_picture_of_another_unit_is_less_active(found, survey, patterns):
    low = survey.maxima(LAYER, units=0).argmin()
    wrong = fv.evidence([picture_of(survey.photo(low), 0)], survey, other=Features(patterns, "mixed3a"), progress=False)
    assert wrong.rows[0].percentile < 10 < found.rows[0].percentile
    assert np.isnan(wrong.rows[0].others)  # there is no other unit's picture to compare with


def test_on_few_photographs_nobody_is_blamed(survey, patterns):
    """Pictures that are photographs of no special interest: on 60 photographs their likeness cannot be told."""
    middling = np.argsort(survey.maxima(LAYER), axis=0)[-4]
    pictures = [picture_of(survey.photo(middling[unit]), unit) for unit in range(12)]
    made = fv.evidence(pictures, survey, other=Features(patterns, "mixed3a"), progress=False)
    doubted = [row for row in made.rows if row.reasons and row.percentile > 90]
    assert doubted and all(row.trusted is None and row.untold[0] == "60 photographs are few" for row in doubted)
    assert all(verdict(row)[1].startswith("cannot be told: 60 photographs are few") for row in doubted)
    assert all(row.trusted is False for row in made.rows if row.percentile < 90)
    assert all(row.trusted is True and verdict(row)[0] for row in made.rows if not row.reasons)
    assert made.to_json()["units"][0]["untold"] == list(made.rows[0].untold)


def test_several_pictures_of_a_unit_are_one_row(survey, patterns):
    two = [picture_of(survey.photo(n), 3) for n in (0, 1)]
    both = fv.evidence(two, survey, other=Features(patterns, "mixed3a"), progress=False)
    alone = [fv.evidence([p], survey, other=Features(patterns, "mixed3a"), progress=False).rows[0] for p in two]
    assert [row.name for row in both.rows] == [f"{LAYER}:3"]
    assert both.rows[0].activation == pytest.approx(np.mean([row.activation for row in alone]), rel=1e-5)


def test_means_and_json(found):
    mean, low, high = found.means()["predicts"]
    assert low <= mean <= high
    assert mean == pytest.approx(found.column("predicts").mean())
    assert json.loads(json.dumps(found.to_json()))["units"][0]["name"] == f"{LAYER}:0"
    trusted = sum(row.trusted is True for row in found.rows)
    assert repr(found) == f"<Evidence of {len(found.rows)} units, {trusted} trusted, compared by {found.other}>"
    with pytest.raises(FeatvizError, match="did you mean `predicts`"):
        found.column("predict")


def test_layers_below_are_pooled_where_the_box_is(patterns, survey):
    assert layers_below(patterns, LAYER)[0] == "conv1"
    image = survey.photo(0)
    whole = pooled_in(patterns, {"conv1": [(0, 0, 64, 64)]}, [image])["conv1"][0]
    images = image[None].astype(np.float32) / np.float32(255)
    expected = np.asarray(patterns.apply(patterns.weights, images, layers=["conv1"])["conv1"]).mean((0, 1, 2))
    np.testing.assert_allclose(whole, expected, rtol=1e-4, atol=1e-5)


def test_features_are_the_mean_over_positions(patterns, survey):
    image = survey.photo(1)
    images = image[None].astype(np.float32) / np.float32(255)
    expected = np.asarray(patterns.apply(patterns.weights, images, layers=["mixed3a"])["mixed3a"]).mean((0, 1, 2))
    np.testing.assert_allclose(Features(patterns, "mixed3a")([image])[0], expected, rtol=1e-4, atol=1e-5)
    assert fit(image, (32, 48)).shape == (32, 48, 3)
    assert features_of(patterns).layer in [layer.name for layer in patterns.layers]


def test_features_of_photographs_are_kept_and_a_broken_file_is_made_again(survey, patterns):
    phi, before = Features(patterns, "conv1"), set(survey.store.path.glob("features-*.npy"))
    found = phi_of_photos(survey, phi)
    np.testing.assert_array_equal(found, phi([survey.photo(n) for n in range(len(survey))]))
    (path,) = set(survey.store.path.glob("features-*.npy")) - before
    np.save(path, found + 1)
    np.testing.assert_array_equal(phi_of_photos(survey, phi), found + 1)
    for broken in (path.read_bytes()[:100], b"no array"):
        path.write_bytes(broken)
        np.testing.assert_array_equal(phi_of_photos(survey, phi), found)
    path.unlink()


@pytest.mark.parametrize(
    "name, words",
    [
        ("mixed3b:99999", "is of no unit"),
        ("mixed3c:1", "did you mean `mixed3b`"),
        ("mixed3b:3@1x1", "not of one channel"),
        ("picture", "not of one channel"),
    ],
)
def test_pictures_of_no_unit_are_refused(name, words, survey, patterns):
    picture = Picture(np.zeros((64, 64, 3), np.float32), 0, Outcome.DEAD, np.zeros(1), {"name": name})
    with pytest.raises(FeatvizError, match=words):
        fv.evidence([picture], survey, other=patterns, progress=False)


def test_a_survey_of_few_photographs_is_refused(patterns, tmp_path, survey):
    few = fv.survey(patterns, [survey.photo(0)] * 8, out=tmp_path / "few", layers=[LAYER], progress=False)
    with pytest.raises(FeatvizError, match="8 photos; expected 40 or more"):
        fv.evidence([picture_of(survey.photo(0), 0)], few, other=patterns, progress=False)


def test_the_drawing_has_a_row_for_every_unit(found, survey, tmp_path):
    from featviz.evaluation.evidence_drawing import draw_evidence, save_evidence, table

    pictures = [picture_of(survey.photo(unit), unit) for unit in range(6)]
    figure = draw_evidence(pictures, survey, found)
    save_evidence(figure, tmp_path / "evidence.png")
    with Image.open(tmp_path / "evidence.png") as image:
        assert image.width > 800 and image.height > 800
    lines = table(found).splitlines()
    assert len(lines) == 1 + 6 + 3
    assert lines[1].startswith(f"{LAYER}:0")


def test_the_command_prints_the_table(tmp_path, capsys):
    from featviz.cli.main import run

    rng = np.random.default_rng(1)
    (tmp_path / "photos").mkdir()
    for number in range(44):
        Image.fromarray(photo(rng)).save(tmp_path / "photos" / f"{number:02d}.png")
    survey, out = str(tmp_path / "survey"), str(tmp_path / "out")
    run(["survey", "patterns", str(tmp_path / "photos"), "-o", survey, "-l", LAYER, "--quiet"])
    run(["render", "patterns", f"{LAYER}:0-1", "-o", out, "--steps", "4", "--size", "48", "--quiet"])
    run(["evidence", out, "--survey", survey, "-o", str(tmp_path / "e.png")])
    printed = capsys.readouterr().out
    assert f"{LAYER}:1" in printed and "photographs: 44; compared by patterns" in printed
    assert "no --other was given" in printed and "do not trust: little" not in printed
    run(["evidence", out, "--survey", survey, "--other", "patterns"])
    assert "no --other" not in capsys.readouterr().out
    assert {row["name"] for row in json.loads((tmp_path / "e.json").read_text())["units"]} == {
        f"{LAYER}:0",
        f"{LAYER}:1",
    }
    with pytest.raises(SystemExit) as stopped:
        run(["evidence", out, "--survey", str(tmp_path / "photos")])
    assert stopped.value.code == 2
    assert "holds no survey" in capsys.readouterr().err


def test_the_command_unites_units_with_photographs(survey, tmp_path, capsys):
    from featviz.cli.main import run

    folder, out = str(survey.store.path), tmp_path / "united"
    words = ["render", "patterns", f"{LAYER}:4,2", "--exemplars", folder, "--steps", "2", "--size", "64", "--quiet"]
    run([*words, "-o", str(out)])
    picture = fv.load_picture(out / f"{LAYER}-4.png")
    assert picture.name == f"{LAYER}:4"
    assert picture.provenance["objective"]["terms"][0]["kind"] == "Exemplars"
    with pytest.raises(SystemExit):
        run(["render", "patterns", f"{LAYER}:whole", "--exemplars", folder, "-o", str(out / "x.png")])
    assert "is not a channel" in capsys.readouterr().err


def test_exemplars_unite_the_unit_with_its_photographs(survey):
    alone = fv.exemplars(survey, LAYER, 2, share=0.0)
    own = np.zeros(survey.layer(LAYER).units)
    own[2] = 1
    np.testing.assert_allclose(np.asarray(alone.terms[0].vector), own, atol=1e-6)
    # By hand, from the network's activations on the best photographs of half A.
    model, numbers = survey.model, np.arange(len(survey))[::2]
    images = np.stack([survey.photo(n) for n in numbers]).astype(np.float32) / np.float32(255)
    maps = np.asarray(model.apply(model.weights, images, layers=[LAYER])[LAYER])
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    best = np.argsort(-survey.maxima(LAYER, units=2)[numbers], kind="stable")[:9]
    common = np.mean([flat[i, survey.positions(LAYER, units=2)[numbers[i]]] for i in best], axis=0)
    expected = (common - flat.mean((0, 1))) / (flat.std((0, 1)) + 1e-3) ** 2
    found = np.asarray(fv.exemplars(survey, LAYER, 2, share=1.0).terms[0].vector)
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-3)
    both = fv.exemplars(survey, LAYER, [2, 5])
    assert [each.label for each in both] == [f"{LAYER}:2", f"{LAYER}:5"]
    np.testing.assert_array_equal(both[0].terms[0].vector, fv.exemplars(survey, LAYER, 2).terms[0].vector)
    with pytest.raises(FeatvizError, match="`share` is 2"):
        fv.exemplars(survey, LAYER, 2, share=2)
    with pytest.raises(FeatvizError, match="`unit` -1 is out of range"):
        fv.exemplars(survey, LAYER, -1)
