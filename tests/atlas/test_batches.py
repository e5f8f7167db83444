"""Batches on an accelerator have the number of lanes of the first one of their task."""

from dataclasses import replace

from support.atlases import plan_tasks

from featviz.atlas.ray.batches import BatchQueue


def test_on_an_accelerator_all_batches_of_a_task_have_the_lanes_of_the_first(patterns):
    first, second = plan_tasks(patterns, 4)
    queue = BatchQueue([first, second], size=8, fix_lanes=True)
    one, two = queue.take(), queue.take()
    assert (one.parent, two.parent, queue.take()) == (first, second, None) and one.task.lanes is None
    # Without a picture, another batch of the task finds them.
    queue.put_back(one)
    one = queue.take()
    assert one.parent is first and one.task.lanes is None
    queue.entry_finished(one, 0, 24)
    queue.entry_finished(one, 1, 24)
    three = queue.take()
    assert (three.parent, three.task.lanes) == (first, 24) and queue.take().task.lanes == 24
    queue.put_back(one)
    again = queue.take()
    assert (again.task.units, again.task.lanes) == (tuple(range(2, 8)), 24)
    fixed = BatchQueue([replace(first, lanes=8)], size=8, fix_lanes=True)
    assert [fixed.take().task.lanes, fixed.take().task.lanes] == [8, 8]
    free = BatchQueue([first], size=8, fix_lanes=False)
    assert [free.take().task.lanes, free.take().task.lanes] == [None, None]
