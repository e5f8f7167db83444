"""What pages show of an atlas: its entries, links, classes and photos."""

import dataclasses

import numpy as np
import pytest
from support.atlases import RECIPE, WITH_SITE, page
from support.surveys import LAYERS

import featviz as fv
from featviz.atlas import site_data as site_data_module
from featviz.atlas.build import build_atlas
from featviz.atlas.reading import Atlas
from featviz.atlas.site.unit_pictures import picture_groups
from featviz.atlas.site_data import SiteData
from featviz.pages.records import Role


def test_every_unit_has_its_page(surveyed_atlas):
    atlas, site = fv.open_atlas(surveyed_atlas), surveyed_atlas / "site"
    for layer, count in (("conv1", 6), ("conv2", 8)):
        assert (site / "layers" / f"{layer}.html").is_file()
        for unit in range(count):
            found = page(site, layer, unit)
            assert found["layer"] == layer and found["unit"] == unit
            assert found["pictures"][0]["score"] == pytest.approx(atlas.picture(f"{layer}:{unit}").score)
            assert (site / "units" / layer / str(unit) / "index.html").is_file()
    roles = [picture["role"] for picture in page(site, "conv2", 3)["pictures"]]
    assert roles[0] == "main" and sorted(roles) == sorted(["main", "negative", "center"] + ["facet"] * 4)
    assert [picture["role"] for picture in page(site, "conv1", 3)["pictures"]] == ["main"]
    # Each its own file.
    files = [picture["file"] for picture in page(site, "conv2", 3)["pictures"]]
    assert len(set(files)) == len(files) == 7 and all(
        (site / "units" / "conv2" / "3" / name).is_file() for name in files
    )
    facets = [picture for picture in page(site, "conv2", 3)["pictures"] if picture["role"] == "facet"]
    assert [each["index"] for each in facets] == [0, 1, 2, 3]
    assert "conv1" in (site / "index.html").read_text()


def test_a_page_has_the_links_of_its_unit(surveyed_atlas, tiny):
    kernel = np.asarray(tiny.weights["params"]["conv2"]["kernel"])
    inputs = page(surveyed_atlas / "site", "conv2", 3)["inputs"]
    assert inputs and all(each["layer"] == "conv1" for each in inputs)
    assert abs(inputs[0]["strength"]) == pytest.approx(1) and len(inputs) <= kernel.shape[2]
    outputs = page(surveyed_atlas / "site", "conv1", 2)["outputs"]
    assert {each["layer"] for each in outputs} == {"conv2"} and len(outputs) == 8
    assert all(each["layer"] == "conv2" for each in page(surveyed_atlas / "site", "conv2", 0)["similar"])
    assert len(page(surveyed_atlas / "site", "conv2", 0)["classes"]) == 5


def test_photos_are_on_the_pages(surveyed_atlas, whole_survey):
    found = page(surveyed_atlas / "site", "conv2", 1)["survey"]
    assert found["count"] == len(whole_survey)
    assert found["mean"] == pytest.approx(float(whole_survey.maxima("conv2")[:, 1].mean()), rel=1e-4)
    assert "conv2" in LAYERS


def test_faults_do_not_depend_on_alpha(tiny, tmp_path, monkeypatch):
    seen, picture_faults = [], site_data_module.picture_faults
    monkeypatch.setattr(
        site_data_module,
        "picture_faults",
        lambda pixels, *more, **named: seen.append(pixels.shape) or picture_faults(pixels, *more, **named),
    )
    clear = dataclasses.replace(RECIPE, transparency=True)
    build_atlas(tiny, out=tmp_path / "a", **WITH_SITE | {"recipe": clear, "units": [1], "layers": ["conv1"]})
    data = SiteData(fv.open_atlas(tmp_path / "a"), tiny)
    assert fv.open_atlas(tmp_path / "a").pixels("conv1").shape[-1] == 4 and data.summary("conv1", 1).unit == 1
    assert set(seen) == {(16, 16, 3)}


def test_provenance_is_read_without_the_picture(grown_copy, tiny, monkeypatch):
    atlas = fv.open_atlas(grown_copy)
    expected = atlas.picture("conv1:3").provenance
    monkeypatch.delattr(Atlas, "picture")
    (found,) = SiteData(atlas, tiny).unit_records("conv1", [3])
    assert found.provenance == expected


def test_facets_that_differ_have_the_shares_of_photographs_that_are_like_them(grown_atlas, tiny, whole_survey):
    atlas = grown_atlas
    (found,) = SiteData(atlas, tiny, survey=whole_survey).unit_records("conv2", [2])
    facets = [picture for picture in found.pictures if picture.role is Role.FACET]
    known = [picture.share for picture in facets if picture.share is not None]
    assert len(facets) == 4 and (not known or sum(known) == pytest.approx(1))
    assert all(picture.share is None for picture in found.pictures if picture.role is not Role.FACET)
    assert not any(picture.of_photos for picture in found.pictures)
    (without,) = SiteData(atlas, tiny).unit_records("conv2", [2])
    assert all(picture.share is None for picture in without.pictures)
    groups = {group.id: group for group in picture_groups(found)}
    assert [each.caption for each in groups["facets"].pictures] == [
        None if picture.share is None else f"{100 * picture.share:.0f} % of photos" for picture in facets
    ]
