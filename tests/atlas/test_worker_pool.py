"""When the failures of workers end a run."""

import pytest
from support.atlases import plan_tasks

from featviz.atlas.ray.batches import BatchQueue
from featviz.atlas.ray.worker_pool import WorkerPool
from featviz.atlas.ray.workers import Resources
from featviz.errors import FeatvizError


def test_only_failures_on_a_started_batch_count_until_it_makes_progress(patterns):
    ray = pytest.importorskip("ray")
    pool = WorkerPool(ray, None, Resources(1, 0), requested=1, check=lambda about: None)
    queue = BatchQueue(plan_tasks(patterns, 4), size=4, fix_lanes=False)
    batch, died = queue.take(), ray.exceptions.ActorDiedError()
    for _ in range(9):
        pool._count_failure(batch, died)
    assert batch.failures == 0
    for unit in batch.task.units[:3]:
        batch.started = True
        pool._count_failure(batch, died)
        pool._count_failure(batch, died)
        queue.entry_finished(batch, unit, 2)
    pool._count_failure(batch, died)
    pool._count_failure(batch, died)
    with pytest.raises(FeatvizError, match="3 workers in a row ended while rendering conv1"):
        pool._count_failure(batch, died)


def test_workers_that_cannot_start_are_reported(patterns):
    class NoRay:
        exceptions = pytest.importorskip("ray").exceptions

        def get(self, answer):
            raise self.exceptions.ActorDiedError()

        def kill(self, worker):
            pass

    pool = WorkerPool(NoRay(), None, Resources(1, 0), requested=1, check=lambda about: None)
    for _ in range(2):
        pool.starting["answer"] = "worker"
        pool._start("answer")
    pool.starting["answer"] = "worker"
    with pytest.raises(
        FeatvizError, match="3 workers in a row could not start, the last one because of ActorDiedError"
    ):
        pool._start("answer")
