"""A unit's profile on its page and in its data, with photographs linked and copied."""

import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support import sites
from support.parsed_pages import parse_page

from featviz.atlas.site.site_writer import write_unit
from featviz.atlas.site.unit_profile_content import shade, where_name
from featviz.circuits.strongest_links import UnitLink
from featviz.pages import addresses
from featviz.pages.profile_records import FiringPhoto, HeldUnitRecord, OutputRecord, ProfileRecord

HEAT = (np.arange(12).reshape(3, 4) * 23).astype(np.uint8)


def profile(survey, *, text="tabby"):
    outputs = (OutputRecord(3, text, -1.25, -0.004), OutputRecord(7, "", 0.5, 0.25))
    return ProfileRecord(
        position_density=0.031,
        position_photos=64,
        active_mean=2.5,
        monosemanticity=0.61,
        mean_similarity=0.32,
        fired_on=tuple(FiringPhoto(crop, HEAT) for crop in survey.examples[:2]),
        co_active=(UnitLink("a", 0, 0.75),),
        classes=((text, 3), ("dog", 1)),
        class_photos=4,
        class_entropy=0.811,
        class_source="folders",
        held=(
            HeldUnitRecord(0.0, 8, 7, outputs, 0.25, 0.125, 0.93),
            HeldUnitRecord(9.5, 8, 7, outputs[:1], 0.5, 0.5, None),
        ),
    )


def write(folder, *, copied, text="tabby", latent=True):
    survey = sites.survey(folder / "photos")
    survey = replace(survey, profile=profile(survey, text=text))
    unit = sites.unit("a", 1, survey=survey, latent=latent, similar=(UnitLink("a", 0, 0.9),))
    network = sites.network([sites.layer("a", 3)], surveyed=True)
    write_unit(folder / "site", network, unit, neighbors=(0, 2), copy_photos=copied)
    return folder / "site" / addresses.unit_folder("a", 1)


@pytest.mark.parametrize("copied", [False, True])
def test_the_page_shows_it(tmp_path, copied):
    folder = write(tmp_path, copied=copied)
    html = (folder / "index.html").read_text()
    for words in (
        *("3.1 %", "Monosemanticity", "all photographs 0.32", "Where it fires", "Fire together", "entropy 0.811 bits"),
        *("Suppressed", "Held at 9.5, its largest", "\N{MINUS SIGN}1.25", "\N{MINUS SIGN}0.004", "class 7", "+0.25"),
        *("25 % of the photographs, 12 % of those held out", "correlate by 0.93", "decoder rows", "on which it fires."),
    ):
        assert words in html
    assert html.count('class="shade"') == 2 and ("file://" in html) != copied
    files = {path.name for path in folder.iterdir()}
    assert ({where_name(0), where_name(1)} <= files) == copied
    # Again without: what is stale goes.
    write_unit(tmp_path / "site", sites.network([sites.layer("a", 3)]), sites.unit("a", 1), neighbors=(0, 2))
    assert not {where_name(0), where_name(1)} & {path.name for path in folder.iterdir()}
    assert "Where it fires" not in (folder / "index.html").read_text()


def test_the_data_have_it(tmp_path):
    found = json.loads((write(tmp_path, copied=False) / "unit.json").read_text())["survey"]["profile"]
    assert found["fired_on"][0]["heat"] == HEAT.tolist() and found["position_density"] == 0.031
    assert found["co_active"] == [{"layer": "a", "unit": 0, "strength": 0.75, "map": None}]
    suppressed = found["held"][0]
    assert (suppressed["value"], suppressed["photos"], suppressed["held_out"]) == (0.0, 8, 7)
    assert suppressed["outputs"][0] == {"index": 3, "name": "tabby", "change": -1.25, "held_out_change": -0.004}
    assert found["held"][1]["agreement"] is None and found["classes"][1] == {"name": "dog", "count": 1}


def test_names_are_escaped(tmp_path):
    page = parse_page(write(tmp_path, copied=False, text="<script>alert(1)</script>") / "index.html")
    assert "<script>alert(1)</script>" in page.texts


def test_an_ordinary_unit_has_other_words(tmp_path):
    html = (write(tmp_path, copied=False, latent=False) / "index.html").read_text()
    assert "most similar weights" in html and "decoder rows" not in html and "on which it fires." not in html


def test_a_shade_is_clear_where_heat_is_largest():
    image = Image.open(io.BytesIO(base64.b64decode(shade(np.array([[255, 0, 128]], np.uint8)).partition(",")[2])))
    assert image.size == (3, 1)
    alpha = np.asarray(image)[0, :, 1]
    assert alpha[0] == 0 and alpha[1] == 190 and 90 < alpha[2] < 100
