"""Batches of entries that wait for a worker, and which of them may be drawn next."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from featviz.atlas.plan import Task


@dataclass
class Batch:
    """Entries that one worker draws together.

    `task` has those still to come, `whole` is the task that they are of; `begun` says that a worker has taken them up,
    `failures` how many workers in a row have died or failed over them without a picture.
    """

    task: Task
    whole: Task
    begun: bool = False
    failures: int = 0


class Batches:
    """Batches that wait.

    On an accelerator the number of lanes can change how a picture rounds, so all batches of a task have that of the
    first: until its first picture has come, the task's other batches wait (`settle`).
    """

    def __init__(self, tasks: Iterable[Task], *, size: int, settle: bool) -> None:
        tasks = list(tasks)
        self.waiting = deque(
            Batch(replace(task, units=task.units[first : first + size]), task)
            for task in tasks
            for first in range(0, len(task.units), size)
        )
        self.unsettled = {task.path for task in tasks if settle and task.lanes is None}
        self.lanes: dict[str, int] = {}
        # Those unsettled tasks of which a batch is being drawn.
        self.tried: set[str] = set()

    def take(self) -> Batch | None:
        """The next batch that may be drawn now."""
        for at, batch in enumerate(self.waiting):
            path = batch.whole.path
            if path in self.tried:
                continue
            del self.waiting[at]
            if path in self.unsettled:
                self.tried.add(path)
            elif path in self.lanes:
                batch.task = replace(batch.task, lanes=self.lanes[path])
            return batch
        return None

    def came(self, batch: Batch, unit: int, lanes: int) -> None:
        """An entry of a batch has come, drawn with a number of lanes."""
        batch.failures = 0
        batch.task = replace(batch.task, units=tuple(other for other in batch.task.units if other != unit))
        path = batch.whole.path
        if path in self.unsettled:
            self.unsettled.discard(path)
            self.tried.discard(path)
            self.lanes[path] = lanes

    def back(self, batch: Batch) -> None:
        """What is left of a batch waits again, before all others."""
        self.tried.discard(batch.whole.path)
        if batch.task.units:
            self.waiting.appendleft(replace(batch, begun=False))
