"""Objectives through lanes: batches of lanes are started, advanced by threads and refilled until all are done."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from featviz.ascent.batching import concurrent_batches
from featviz.ascent.lane_batch import BatchProgress, Images, LaneBatch, LaneRun, prepare_step
from featviz.ascent.outcome import LaneResult
from featviz.common.rare_collection import rare_collection
from featviz.objectives import Objective

# Steps between two checks of the lanes, the longest that a finished lane or Ctrl-C waits.
CHECK_EVERY = 16


@dataclass(frozen=True)
class Monitor:
    """What is reported while lanes run.

    `on_progress(lanes, steps)` gets how many lanes ran and how many steps they made together, `on_start` the index of
    each objective when a lane begins it. With `snapshot_every` lanes that go on are shown every so many steps.
    """

    on_progress: Callable[[int, int], None]
    on_start: Callable[[int], None] | None = None
    snapshot_every: int | None = None


def run_lanes(
    run: LaneRun, objectives: Sequence[Objective], starts: Sequence[Images] | None, monitor: Monitor
) -> Iterator[LaneResult]:
    """The results of objectives of one structure, as they finish; a lane that finishes is refilled with the next.

    On a CPU two batches run concurrently, each advanced by a thread of its own. All batches run one compiled program,
    so a result does not depend on its batch. `starts` has the images of each objective's group, in place of noise.
    """
    waiting = deque(range(len(objectives)))
    rounds = -(-len(objectives) // (run.lanes * run.mesh.devices.size))
    step = prepare_step(run, objectives[0], started=starts is not None)
    batches = [LaneBatch(run, step, objectives, starts) for _ in range(min(concurrent_batches(run.mesh), rounds))]
    with ThreadPoolExecutor(len(batches)) as pool:
        running: dict[Future[BatchProgress], LaneBatch] = {}
        # Programs are found or compiled.
        with rare_collection():
            for batch in batches:
                _advance(pool, running, batch, waiting, monitor)
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                batch = running.pop(future)
                progress = future.result()
                monitor.on_progress(*batch.record(progress))
                results = batch.results(progress, snapshots=monitor.snapshot_every is not None)
                _advance(pool, running, batch, waiting, monitor)
                # The next steps run while the caller handles these.
                yield from results


def _advance(
    pool: ThreadPoolExecutor,
    running: dict[Future[BatchProgress], LaneBatch],
    batch: LaneBatch,
    waiting: deque[int],
    monitor: Monitor,
) -> None:
    """Fills a batch's idle slots and begins its next steps, if it has any."""
    for index in batch.fill(waiting):
        if monitor.on_start is not None:
            monitor.on_start(index)
    if batch.busy:
        steps = batch.steps_until(monitor.snapshot_every or CHECK_EVERY)
        running[pool.submit(batch.advance, steps)] = batch
