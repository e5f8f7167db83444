"""Batches of entries that wait for a worker, and which of them may be rendered next."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from featviz.atlas.series import Task


@dataclass
class Batch:
    """Entries that one worker renders together.

    Attributes:
      task: the entries that are still to come.
      parent: the task that they belong to.
      started: whether a worker has started them.
      failures: how many workers in a row have died or failed on them without a picture.
    """

    task: Task
    parent: Task
    started: bool = False
    failures: int = 0


class BatchQueue:
    """Batches that wait.

    On an accelerator the number of lanes can change how a picture rounds, so all batches of a task have that of the
    first one: until its first picture has come, the other batches of the task wait.

    Args:
      tasks: what to render.
      size: entries per batch.
      fix_lanes: whether the number of lanes is fixed by the first batch of each task.
    """

    def __init__(self, tasks: Iterable[Task], *, size: int, fix_lanes: bool) -> None:
        tasks = list(tasks)
        self.waiting = deque(
            Batch(task.of_units(task.units[first : first + size]), task)
            for task in tasks
            for first in range(0, len(task.units), size)
        )
        # Tasks whose number of lanes is not known yet, and those of them of which a batch is being rendered.
        self._undecided = {task.path for task in tasks if fix_lanes and task.lanes is None}
        self._trying: set[str] = set()
        self._lanes: dict[str, int] = {}

    def take(self) -> Batch | None:
        """The next batch that may be rendered now."""
        for position, batch in enumerate(self.waiting):
            path = batch.parent.path
            if path in self._trying:
                continue
            del self.waiting[position]
            if path in self._undecided:
                self._trying.add(path)
            elif path in self._lanes:
                batch.task = replace(batch.task, lanes=self._lanes[path])
            return batch
        return None

    def entry_finished(self, batch: Batch, unit: int, lanes: int) -> None:
        """An entry of a batch has come, rendered with a number of lanes."""
        batch.failures = 0
        batch.task = batch.task.of_units(other for other in batch.task.units if other != unit)
        path = batch.parent.path
        if path in self._undecided:
            self._undecided.discard(path)
            self._trying.discard(path)
            self._lanes[path] = lanes

    def put_back(self, batch: Batch) -> None:
        """The remaining entries of a batch wait again, before all others."""
        self._trying.discard(batch.parent.path)
        if batch.task.units:
            self.waiting.appendleft(replace(batch, started=False))
