"""Facets of an atlas: of clusters of a unit's photographs with a survey, else of difference; planned, kept, shown."""

import dataclasses
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from support.atlases import PLAN, RENDERED, WITH_SITE, assert_equal, page
from support.surveys import IMAGES

import featviz as fv
from featviz.atlas import facet_objectives as facet_objectives_module
from featviz.atlas.build import build_atlas, build_site
from featviz.atlas.compaction import compact_series
from featviz.atlas.entry_records import entry_command
from featviz.atlas.facet_objectives import facet_photos, unit_facets
from featviz.atlas.plan import make_plan
from featviz.atlas.start_images import StartImages
from featviz.errors import FeatvizError
from featviz.pages.records import Role
from featviz.surveys import best_photos
from featviz.surveys import unit_facets as unit_facets_module
from featviz.surveys.facet_starts import started_steps

OPTIONS = {**WITH_SITE, "layers": ["conv2"]}


@pytest.fixture(scope="module")
def photo_facets(tiny, whole_survey, tmp_path_factory):
    """An atlas of three units with two facets of photographs each."""
    out = tmp_path_factory.mktemp("facets") / "a"
    return build_atlas(tiny, out=out, units=range(3), facets=2, survey=whole_survey, **OPTIONS)


def test_with_a_survey_facets_begin_at_the_units_photographs(photo_facets, tiny, whole_survey):
    options = {name: value for name, value in RENDERED.items() if name != "size"}
    options["steps"] = started_steps(options["steps"])
    for unit in range(3):
        objective = fv.facets(whole_survey, "conv2", unit, count=2)
        starts = fv.facet_starts(whole_survey, "conv2", unit, count=2, size=RENDERED["size"])
        group = fv.render_group(tiny, objective, group_size=2, start=starts, **options)
        found = photo_facets.pictures(f"conv2:{unit}", role=Role.FACET)
        for kept, made in zip(found, group, strict=True):
            np.testing.assert_array_equal(kept.to_uint8(), made.to_uint8())
            for name in ("name", "objective", "objective_sha256", "note", "steps", "start"):
                assert kept.provenance[name] == made.provenance[name]
            assert kept.provenance["begun_at"] in whole_survey.names


def test_keys_follow_from_the_objectives_hash(photo_facets, whole_survey):
    rows = list(photo_facets.rows(roles=[Role.FACET]))
    assert len({row.key for row in rows}) == len(rows) == 3
    shared = photo_facets.entries(rows[0].path).attributes
    assert shared["photos"]["sha256"] == shared["identity"]["photos"] == facet_photos(whole_survey, "conv2").sha256
    assert shared["photos"]["steps"] == shared["identity"]["photo_steps"] == started_steps(RENDERED["steps"])
    assert "begun_at" not in photo_facets.entries(rows[0].path).objective(1)


def test_pages_say_what_share_each_facet_stands_for(photo_facets, whole_survey):
    site = photo_facets.store.folder / "site"
    found = page(site, "conv2", 1)["pictures"]
    assert [picture["role"] for picture in found] == ["main", "facet", "facet"]
    shares = fv.facets(whole_survey, "conv2", 1, count=2).terms[0].shares
    np.testing.assert_allclose([picture["share"] for picture in found[1:]], shares, rtol=1e-6)
    assert [picture["of_photos"] for picture in found] == [False, True, True]
    text = (site / "units" / "conv2" / "1" / "index.html").read_text()
    assert "photographs have a part in it" in " ".join(text.split()) and f"{100 * shares[0]:.0f} % of photos" in text
    assert found[0]["begun_at"] is None and {each["begun_at"] for each in found[1:]} <= set(whole_survey.names)
    assert "Each begins at a photograph" in text and f"begun at {found[1]['begun_at']}" in text


def test_a_resumed_atlas_of_facets_equals_one_rendered_in_one_run(photo_facets, tiny, whole_survey, tmp_path):
    for units in ([2], [0], range(3)):
        part = build_atlas(tiny, out=tmp_path / "a", units=units, facets=2, survey=whole_survey, **OPTIONS)
    assert_equal(photo_facets, part)
    assert [row.key for row in part.rows()] == [row.key for row in photo_facets.rows()]


def test_a_damaged_objective_is_rendered_again(tiny, whole_survey, tmp_path, capsys):
    options = {"units": range(2), "facets": 2, "survey": whole_survey, **OPTIONS, "site": False, "compact": False}
    before = build_atlas(tiny, out=tmp_path / "a", **options)
    rows, path = list(before.rows()), before.find("conv2", role=Role.FACET).path
    (file,) = (tmp_path / "a" / path / "objective" / "json").glob("c.1*")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert [row.outcome for row in fv.open_atlas(tmp_path / "a").rows(roles=[Role.FACET])][1] == "damaged"
    after = build_atlas(tiny, out=tmp_path / "a", **options)
    assert "conv2:1 (facet) is damaged" in capsys.readouterr().err and list(after.rows()) == rows
    # Without its file, a facet of photographs must not pass for one that is drawn by difference.
    file.unlink()
    atlas = fv.open_atlas(tmp_path / "a")
    assert atlas.entries(path).damaged(range(2)) == {1: "no objective/json"}
    assert [row.outcome for row in atlas.rows(roles=[Role.FACET])][1] == "damaged"
    with pytest.raises(FeatvizError, match="conv2:1 \\(facet\\) is damaged: no objective/json"):
        compact_series(atlas.store, path)


def test_no_command_draws_a_single_facet():
    shared = {
        "role": "facet",
        "layer": "conv1",
        "count": 1,
        "source": {"name": "patterns"},
        "recipe_words": [],
        "run": {},
    }
    assert (
        entry_command(SimpleNamespace(attributes=shared, objective=lambda unit: None, begun_at=lambda unit: []), 0)
        is None
    )


def test_facets_of_the_latest_command_are_shown(tiny, whole_survey, tmp_path):
    options = {"out": tmp_path / "a", **OPTIONS}
    build_atlas(tiny, units=range(3), facets=2, **options)
    atlas = build_atlas(tiny, units=[1], facets=3, survey=whole_survey, **options)
    assert [len(atlas.pictures(f"conv2:{unit}", role=Role.FACET)) for unit in range(3)] == [2, 3, 2]
    assert atlas.count() == (6, 6) and len(atlas.series) == 3
    for read in (atlas.pixels, atlas.scores):
        with pytest.raises(FeatvizError, match="facets of conv2 are in 2 series"):
            read("conv2", role=Role.FACET)
    shown = page(tmp_path / "a" / "site", "conv2", 1)["pictures"]
    assert [picture["of_photos"] for picture in shown] == [False, True, True, True]
    back = build_atlas(tiny, units=range(3), facets=2, **options)
    assert len(back.pictures("conv2:1", role=Role.FACET)) == 2 and back.count() == (6, 6)
    assert back.pixels("conv2", role=Role.FACET).shape[1] == 2


def test_a_unit_that_too_few_photographs_excite_is_drawn_by_difference(whole_survey, monkeypatch):
    def few(survey, layer, units, count):
        return {unit: photos[:2] if unit == 1 else photos for unit, photos in best(survey, layer, units, count).items()}

    best = facet_objectives_module.best_photos_of
    monkeypatch.setattr(facet_objectives_module, "best_photos_of", few)
    found = unit_facets(whole_survey, "conv2", [0, 1], 3, size=(32, 32))
    assert [facets.objective.terms[0].__class__.__name__ for facets in found.values()] == ["Facets", "Diverse"]
    assert found[1].objective.hash == fv.diverse(fv.channel("conv2", 1)).hash
    assert [len(facets.crops) for facets in found.values()] == [3, 0]


def test_without_a_survey_no_photograph_enters(tiny, whole_survey):
    def facets(**options):
        plan = make_plan(tiny, **{**PLAN, "layers": ["conv2"], "full": None, **options})
        return next(task for task in plan.tasks if task.series.role is Role.FACET), plan

    plain, plan = facets()
    assert plain.series.photos is None and "photos" not in plain.series.identity
    assert plain.objective(3).hash == fv.diverse(fv.channel("conv2", 3)).hash
    assert [task.series.role for task in plan.tasks] == [Role.MAIN, Role.FACET, Role.NEGATIVE, Role.CENTER]
    paths = {plain.path, facets(facets=3)[0].path, facets(survey=whole_survey)[0].path}
    assert len(paths) == 3 and facets(units=[1])[0].path == plain.path
    named = dataclasses.replace(tiny, source={"model": "patterns"})
    command = make_plan(named, **{**PLAN, "facets": 2, "survey": whole_survey}).command
    assert f"--facets 2 --survey {whole_survey.store.path.name}" in command


def test_a_plan_without_facets_has_none(tiny):
    plan = make_plan(tiny, **{**PLAN, "full": None, "facets": 0})
    assert Role.FACET not in {task.series.role for task in plan.tasks}
    with pytest.raises(FeatvizError, match="`facets` is 17; expected a whole number from 0 to 16"):
        make_plan(tiny, **{**PLAN, "facets": 17})


def test_the_photographs_of_units_are_looked_for_once(whole_survey, monkeypatch):
    def count(survey, layer, units, number):
        calls.append(list(units))
        return best(survey, layer, units, number)

    calls, best = [], best_photos.best_photos_of
    for module in (facet_objectives_module, unit_facets_module):
        monkeypatch.setattr(module, "best_photos_of", count)
    found = [facets.objective for facets in unit_facets(whole_survey, "conv2", [0, 1], 2, size=(32, 32)).values()]
    assert calls == [[0, 1]]
    assert [each.hash for each in found] == [each.hash for each in fv.facets(whole_survey, "conv2", [0, 1], count=2)]


def test_units_with_and_without_photographs_enough_share_a_series(tiny, whole_survey, tmp_path, monkeypatch):
    def few(survey, layer, units, count):
        return {unit: photos[:1] if unit == 1 else photos for unit, photos in best(survey, layer, units, count).items()}

    best = facet_objectives_module.best_photos_of
    monkeypatch.setattr(facet_objectives_module, "best_photos_of", few)
    atlas = build_atlas(tiny, out=tmp_path / "a", units=range(2), facets=2, survey=whole_survey, **OPTIONS)
    begun, noise = (atlas.pictures(f"conv2:{unit}", role=Role.FACET)[0] for unit in range(2))
    assert len(begun.history) == started_steps(RENDERED["steps"]) and "start" in begun.provenance
    assert len(noise.history) == noise.provenance["steps"] == RENDERED["steps"]
    assert "start" not in noise.provenance and "begun_at" not in noise.provenance


def test_a_prior_that_draws_from_noise_begins_at_none(tiny, whole_survey):
    options = {**PLAN, "layers": ["conv2"], "facets": 2, "survey": whole_survey}
    series = [
        next(task.series for task in make_plan(tiny, **{**options, "recipe": recipe}).tasks if task.series.photos)
        for recipe in ("default", "guided")
    ]
    assert series[0].photos.steps > 0 == series[1].photos.steps
    assert "photo_steps" not in series[1].identity


def test_images_to_begin_at_travel_without_their_survey(whole_survey):
    found = unit_facets(whole_survey, "conv2", [0, 2], 2, size=(32, 24))
    crops = {unit: facets.crops for unit, facets in found.items()}
    starts = StartImages(whole_survey, crops, (32, 24), names={0: ("a", "b"), 2: ("c", "d")})
    sent = pickle.loads(pickle.dumps(starts.of_units([2])))
    assert sent.survey is None and 0 not in sent and sent.names == {2: ("c", "d")}
    for there, here in zip(sent.of_unit(2), starts.of_unit(2), strict=True):
        assert here.shape == (32, 24, 3) and 0 <= here.min() < here.max() <= 1
        np.testing.assert_array_equal(there, here)


def test_a_survey_of_another_network_is_refused(tiny, other_weights, whole_survey, tmp_path):
    other = dataclasses.replace(tiny, weights=other_weights)
    ranged = dataclasses.replace(tiny, input=dataclasses.replace(tiny.input, mean=(0.5,)))
    for model, says in ((other, "with other weights"), (ranged, "with another input than")):
        with pytest.raises(FeatvizError, match=says):
            build_atlas(model, out=tmp_path / "a", survey=whole_survey, **OPTIONS)
    assert not (tmp_path / "a").exists()
    with pytest.raises(FeatvizError, match="`survey` is 'photos/s'; expected a survey, such as fv.open_survey gives"):
        build_atlas(tiny, out=tmp_path / "a", survey="photos/s", **OPTIONS)


def test_a_site_does_not_show_a_survey_of_another_network(photo_facets, tiny, other_weights, tmp_path):
    other = fv.survey(
        dataclasses.replace(tiny, weights=other_weights), IMAGES[:8], out=tmp_path / "s", layers=["fc"], progress=False
    )
    with pytest.raises(FeatvizError, match="with other weights"):
        build_site(photo_facets, tiny, survey=other)
