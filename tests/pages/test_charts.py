"""Charts as data: what is drawn, and when there is nothing to draw."""

import numpy as np
import pytest

from featviz.pages.charts import HEIGHT, MAX_POINTS, histogram_chart, score_chart


def test_curves_share_a_scale_and_the_first_is_drawn_last():
    chart = score_chart([np.array([0.0, 1.0, 2.0]), np.array([4.0, 4.0])])
    assert chart.paths == ("M0.0 2.0L200.0 2.0", "M0.0 98.0L200.0 74.0L400.0 50.0")
    assert (chart.low, chart.high, chart.last_step) == ("0", "4", "3")


def test_a_curve_skips_steps_that_are_not_finite_and_has_few_points():
    (path,) = score_chart([np.array([0.0, np.nan, 1.0])]).paths
    assert path == "M0.0 98.0L400.0 2.0"
    (path,) = score_chart([np.arange(5000.0)]).paths
    assert path.count("L") == MAX_POINTS - 1


@pytest.mark.parametrize(
    "histories", [[], [np.zeros(1)], [np.full(9, np.nan)], [np.full(9, np.nan), np.arange(9.0)]], ids=str
)
def test_without_a_curve_of_the_first_run_there_is_no_chart(histories):
    assert score_chart(histories) is None


def test_a_histogram_marks_a_value_beyond_its_bins():
    chart = histogram_chart(np.array([0.0, 1.0, 2.0]), np.array([1000, 1]), marked=4.0, description="Photographs")
    assert [bar.x for bar in chart.bars] == ["0", "100"]
    assert [bar.height for bar in chart.bars] == [str(HEIGHT), "1"]
    assert (chart.marker.text, chart.marker.percent, chart.marker.text_left) == ("4", 100.0, True)
    assert (chart.low, chart.high) == ("0", "4") and chart.description == "Photographs; this picture reaches 4."


def test_a_value_that_is_not_finite_is_not_marked():
    chart = histogram_chart(np.array([0.0, 1.0]), np.array([3]), marked=np.nan, description="Photographs")
    assert chart.marker is None and chart.description == "Photographs."


@pytest.mark.parametrize(("edges", "counts"), [([0, 1], [0]), ([0, np.nan], [1]), ([0], []), ([0, 1], [1, 2])], ids=str)
def test_a_histogram_without_counts_or_edges_is_no_chart(edges, counts):
    assert histogram_chart(np.array(edges), np.array(counts), marked=1.0, description="") is None


def test_scores_may_lie_at_any_steps():
    chart = score_chart([np.array([0.0, 1.0, 2.0]), np.array([2.0, 2.0])], steps=[[0, 16, 20], [0, 40]])
    assert (chart.first_step, chart.last_step) == ("0", "40")
    assert chart.paths == ("M0.0 2.0L400.0 2.0", "M0.0 98.0L160.0 50.0L200.0 2.0")
