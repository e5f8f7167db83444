"""Shards are disjoint and together make up the plan, also when processes render them at once."""

import pytest
from support.atlases import PATTERNS_STEPS, PLAN, assert_equal
from support.processes import start_atlas

import featviz as fv
from featviz.atlas.journal import read_journal
from featviz.atlas.plan import make_plan
from featviz.atlas.sharding import shard_tasks
from featviz.errors import FeatvizError


def test_shards_are_disjoint_and_together_make_up_the_plan(tiny):
    plan = make_plan(tiny, **{**PLAN, "full": ["conv2"]})
    every = [(task.path, unit) for task in plan.tasks for unit in task.units]
    for count in (1, 2, 3, 7, 500):
        parts = [shard_tasks(plan.tasks, tiny, index=index, count=count) for index in range(1, count + 1)]
        drawn = [(task.path, unit) for part in parts for task in part for unit in task.units]
        assert drawn == every
    for index, count in ((0, 2), (3, 2), (1, 0)):
        with pytest.raises(FeatvizError, match="`shard` is"):
            shard_tasks(plan.tasks, tiny, index=index, count=count)


@pytest.mark.slow
def test_shards_in_three_processes_equal_one_run(patterns_atlas, tmp_path):
    steps = ["--steps", str(PATTERNS_STEPS)]
    shards = [start_atlas(tmp_path / "a", *steps, "--shard", f"{index}/3") for index in range(1, 4)]
    assert [(process.communicate(timeout=300), process.returncode)[1] for process in shards] == [0] * 3
    together = fv.open_atlas(tmp_path / "a")
    assert together.count() == patterns_atlas.count() == (52, 52)
    assert_equal(patterns_atlas, together)
    journals = read_journal(tmp_path / "a" / "journal")
    starts = [event for events in journals for event in events if event.event == "start"]
    assert len(starts) == 52 == len({(event.series, event.unit) for event in starts})
