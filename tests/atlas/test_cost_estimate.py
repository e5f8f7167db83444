"""Estimates of a plan."""

from support.atlases import RENDERED

from featviz.atlas.cost_estimate import estimate, estimate_lines
from featviz.atlas.plan import make_plan


def test_an_estimate_counts_units_and_entries(tiny):
    plan = make_plan(
        tiny, layers=["conv1", "conv2"], units=None, full=["conv2"], seed=0, dtype=None,
        recipe=RENDERED["recipe"], size=16, steps=4,
    )  # fmt: skip
    estimates = estimate(tiny, plan.tasks)
    assert [len(each.task.units) for each in estimates] == [80] + [8] * 4
    assert all(each.seconds > 0 and each.lanes == 1 and each.memory > 0 for each in estimates)
    assert "88 units, 112 entries" in estimate_lines(estimates, "atlas")[-1]
