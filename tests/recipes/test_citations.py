"""Every recipe has its sources and its summary, in a table as well."""

from dataclasses import replace

import pytest

import featviz as fv
from featviz.cli.main import run
from featviz.common.canonical import digest
from featviz.errors import FeatvizError
from featviz.recipes import RECIPES, by_name
from featviz.recipes.citations import BIBTEX, author, citation, year


@pytest.mark.parametrize("name", RECIPES)
def test_each_is_cited_and_whole(name):
    recipe = by_name(name)
    assert recipe.sources and set(recipe.sources) <= set(BIBTEX)
    assert all(f"{{{source}," in citation(recipe) for source in recipe.sources)
    assert 10 < len(recipe.summary) < 90 and recipe.summary[0].islower()
    assert not recipe.stages or recipe.steps == sum(stage.steps for stage in recipe.stages)
    assert getattr(fv.recipes, name) is recipe


def test_the_table_of_recipes(capsys):
    run(["recipes"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    for name, recipe in RECIPES.items():
        (line,) = [line for line in lines if line.split()[0] == name]
        assert line.split()[1] == year(recipe.sources[0]) and str(recipe.steps) in line
        assert line.endswith(author(recipe.sources[0]))
    run(["recipes", "maco_2023"])
    assert capsys.readouterr().out == citation(by_name("maco_2023")) + "\n"
    assert "Fel, Thomas" in citation(by_name("maco_2023"))
    with pytest.raises(SystemExit) as stop:
        run(["recipes", "lucit"])
    assert stop.value.code == 2 and "did you mean `lucid`" in capsys.readouterr().err


def test_a_summary_is_no_part_of_what_is_computed():
    lucid = by_name("lucid")
    assert replace(lucid, summary="another") == lucid and digest(replace(lucid, summary="another")) == digest(lucid)
    assert len({recipe.summary for recipe in RECIPES.values()}) == len(RECIPES)
    assert set(RECIPES) <= set(dir(fv.recipes))


def test_an_unknown_one_is_refused():
    with pytest.raises(FeatvizError, match="did you mean `lucid`"):
        by_name("lucd")
