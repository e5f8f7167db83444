"""Where the pictures of explanations come from, as pages say it."""

from types import SimpleNamespace

import featviz as fv
from featviz.attribution.explained_pictures import DrawnFiles
from featviz.attribution.shown_pictures import show_pictures

UNIT = fv.channel("conv1", 3)
DRAWN = DrawnFiles("0", (96, 128), 64)


def atlas_of(**run):
    return SimpleNamespace(
        plan=[SimpleNamespace(path="a")],
        entries=lambda path: SimpleNamespace(attributes={"run": run}),
        store=SimpleNamespace(location="atlas"),
    )


def test_an_atlas_has_the_first_word_and_drawn_ones_stand_in():
    shown = show_pictures(DRAWN, atlas_of(size=[224, 200], steps=512))
    there = {DRAWN.address(UNIT)}
    assert shown.find(UNIT, there.__contains__) == DRAWN.address(UNIT)
    there.add(shown.atlas.address(UNIT))
    assert shown.find(UNIT, there.__contains__) == shown.atlas.address(UNIT) != DRAWN.address(UNIT)
    assert shown.find(fv.channel("conv1", 4), there.__contains__) is None
    # Without the atlas its pictures are not passed off as drawn ones.
    assert show_pictures(DRAWN, None).find(UNIT, there.__contains__) == DRAWN.address(UNIT)


def test_pages_say_how_pictures_were_made():
    own = "drawn at 128 x 96 px in 64 steps"
    assert show_pictures(DRAWN, None).words == f"Pictures are {own}."
    words = show_pictures(DRAWN, atlas_of(size=[224, 200], steps=512)).words
    assert words == f"Pictures are those of the atlas atlas, 200 x 224 px in 512 steps; others are {own}."
    assert show_pictures(DRAWN, atlas_of()).words == f"Pictures are those of the atlas atlas; others are {own}."
