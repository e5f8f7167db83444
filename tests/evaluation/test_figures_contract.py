"""The contract of every listed evidence figure, and that a new one appears wherever figures are shown."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.evidence import LAYER, picture_of, random_arrays

import featviz as fv
from featviz.atlas.photo_records import survey_records
from featviz.evaluation import figures
from featviz.evaluation.evidence_drawing import draw_evidence
from featviz.evaluation.evidence_text import figure_lines, table
from featviz.evaluation.figures import FIGURES, EvidenceFigure, Quantity
from featviz.evaluation.figures.base import as_share

DOCS = Path(fv.__file__).parents[1] / "docs" / "evidence.md"
# The keys of a unit in the JSON file that are not quantities.
OTHER_KEYS = {"name", "activation", "flag_margin", "flag_reasons", "inconclusive", "trusted"}

each_figure = pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)


def test_names_are_unique():
    for names in (
        [figure.name for figure in FIGURES],
        [figure.title for figure in FIGURES],
        [quantity.name for quantity in figures.quantities()],
        [quantity.header for quantity in figures.quantities() if quantity.header],
    ):
        assert len(set(names)) == len(names)
    assert not OTHER_KEYS & {quantity.name for quantity in figures.quantities()}


@each_figure
def test_a_figure_says_what_it_is(figure):
    assert re.fullmatch(r"E\d+", figure.name) and figure.title and figure.formula
    assert figure.meaning[0].isupper() and figure.meaning.endswith(".")
    assert figure.quantities and any(quantity.header for quantity in figure.quantities)
    for quantity in figure.quantities:
        assert quantity.name.isidentifier() and quantity.minimum < quantity.maximum and quantity.range


@each_figure
@pytest.mark.parametrize("constant", [False, True])
def test_values_are_in_their_range_and_depend_on_the_arrays_alone(figure, constant):
    meaningful = set()
    for seed in range(20):
        arrays = random_arrays(np.random.default_rng(seed), constant=constant)
        values = figure.compute(arrays)
        assert len(values) == len(figure.quantities)
        for quantity, value in zip(figure.quantities, values, strict=True):
            assert np.isnan(value) or quantity.minimum <= value <= quantity.maximum
            meaningful |= {quantity.name} if np.isfinite(value) else set()
        np.testing.assert_array_equal(figure.compute(arrays), values)
    assert constant or meaningful == {quantity.name for quantity in figure.quantities}


@each_figure
@pytest.mark.parametrize("value", [0.25, np.nan, np.inf, -np.inf])
def test_the_printed_form_is_one_short_line(figure, value):
    values = {quantity.name: value for quantity in figure.quantities}
    for text in figure.printed(values):
        assert text.isprintable() and len(text) < 40 and "{" not in text and "nan" not in text
    assert figure.printed(values)[0]


def test_the_documentation_agrees_with_the_list():
    """Each figure has its row; `figures.markdown()` prints the table."""
    rows = [line for line in DOCS.read_text().splitlines() if re.match(r"\| E\d", line)]
    assert len(rows) >= 6 and set(rows) <= set(figures.markdown().splitlines())


def fraction(activation):
    return activation / (1 + abs(activation))


@pytest.fixture
def invented(monkeypatch):
    """An invented figure at the end of the list."""
    made = EvidenceFigure(
        name="E6",
        title="fraction",
        formula="a_u(p) / (1 + |a_u(p)|)",
        meaning="A figure that was invented for a test.",
        quantities=(Quantity("fraction", -1, 1, as_share, "E6"),),
        compute=lambda arrays: (fraction(float(arrays.activations[:, arrays.unit].mean())),),
        value="{fraction}",
        beside="at most 1",
    )
    monkeypatch.setattr(figures, "FIGURES", (*FIGURES, made))
    return made


def test_a_new_figure_appears_in_the_table_the_drawing_the_pages_and_the_json(invented, blob_survey, patterns):
    picture = picture_of(blob_survey.photo(0), 3)
    phi = fv.Features(patterns, "mixed3a")
    evidence = fv.evidence([picture], blob_survey, other=phi, progress=False)
    value = fraction(evidence.rows[0].activation)
    assert evidence.column("fraction") == pytest.approx([value])
    assert evidence.to_json()["units"][0]["fraction"] == pytest.approx(value)
    assert evidence.means()["fraction"][0] == pytest.approx(value)
    head, row, *_ = table(evidence).splitlines()
    assert head.split()[-1] == "E6" and f" {value:.3g}" in row
    line = figure_lines(evidence.rows[0])[-1]
    assert line == ("E6 fraction", as_share(value), "at most 1", invented.meaning)
    texts = {text.get_text() for axes in draw_evidence([picture], blob_survey, evidence).axes for text in axes.texts}
    assert {"E6 fraction", as_share(value), "at most 1"} <= texts
    on_page = survey_records(blob_survey, LAYER, {3: picture}, other=phi)[3].figures[-1]
    assert (on_page.name, on_page.value, on_page.meaning) == ("E6 fraction", as_share(value), invented.meaning)
    assert figures.markdown().splitlines()[-1].startswith("| E6 fraction | a_u(p) / (1 + \\|a_u(p)\\|) |")


def test_a_figure_that_yields_another_count_than_it_lists_is_an_error(invented, monkeypatch):
    monkeypatch.setattr(figures, "FIGURES", (replace(invented, compute=lambda _: ()),))
    with pytest.raises(ValueError, match="shorter"):
        figures.compute(random_arrays(np.random.default_rng(0)))
