"""The Ray engine on real local clusters: workers that are killed, that fail, that never start; machines that go."""

import contextlib
import os
import signal
import sys
import time
import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
from test_atlas import assert_equal

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.engines import local
from featviz.atlas.plan import make_plan
from featviz.atlas.ray import engine as on_ray
from featviz.atlas.ray import resources as ray_needs
from featviz.atlas.ray import worker_pool as ray_crew
from featviz.atlas.ray.batches import Batches
from featviz.atlas.ray.engine import OnRay
from featviz.atlas.ray.resources import Resources
from featviz.atlas.ray.worker_pool import WorkerPool
from featviz.atlas.series import Series
from featviz.errors import FeatvizError
from featviz.pictures.provenance import describe_machine

# Programs of this recipe compile in no time.
OPTIONS = {"layers": ["conv1", "conv2"], "recipe": fv.recipes.erhan_2009, "size": 24}


def tasks_of(model, steps, **options):
    return make_plan(model, units=None, full=[], seed=0, dtype=None, steps=steps, **{**OPTIONS, **options}).tasks


def draw(engine, model, tasks, *, each=lambda drawn: None):
    """All entries of an engine's, by layer and unit; `each` is told of them as they come."""
    found = {}
    with contextlib.closing(engine(model, tasks, on_start=lambda task, unit: None)) as drawing:
        for drawn in drawing:
            name = drawn.task.series.layer, drawn.unit
            assert name not in found
            found[name] = drawn.pictures
            each(drawn)
    return found


def same(first, second):
    return first.keys() == second.keys() and all(
        np.array_equal(a.pixels, b.pixels) and a.score == b.score and np.array_equal(a.history, b.history)
        for name in first
        for a, b in zip(first[name], second[name], strict=True)
    )


def workers_here():
    """The processes of workers below this one: another's clusters are not looked at."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_bytes()

    def below(process):
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    return [process for process, name in names.items() if name.startswith(b"ray::Worker") and below(process)]


def wait_for(condition, *, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.1)


@dataclass(frozen=True, kw_only=True)
class Failing(Series):
    """A series that fails in the first `times` processes other than this one; the folder counts them."""

    folder: Path
    times: int
    home: int

    def objective(self, unit):
        if os.getpid() != self.home and len(list(self.folder.iterdir())) < self.times:
            (self.folder / str(os.getpid())).touch()
            raise RuntimeError("RESOURCE_EXHAUSTED: out of\nmemory")
        return super().objective(unit)


def failing(task, folder, times):
    folder.mkdir()
    own = {field.name: getattr(task.series, field.name) for field in fields(task.series)}
    return replace(task, series=Failing(**own, folder=folder, times=times, home=os.getpid()))


@pytest.fixture(scope="module")
def cluster():
    """A cluster of one machine with two cores, to which this process is connected."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    # What is defined here is not to be found by workers, so it travels whole.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        ray.init(made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_what_is_started_for_a_session_ends_with_it(patterns):
    ray = pytest.importorskip("ray")
    filters, engine = list(warnings.filters), OnRay("local", workers=1, cpus=1)
    with contextlib.suppress(KeyboardInterrupt), engine.session():
        # As a picture's provenance says it.
        assert engine.probe() == describe_machine() and ray.is_initialized()
        raise KeyboardInterrupt
    assert not ray.is_initialized() and warnings.filters == filters


def test_with_a_worker_killed_it_is_the_atlas_that_one_machine_draws(cluster, patterns, tmp_path):
    # There is room for two of the four: the others get no batches before they are there, which is never.
    engine, killed = OnRay(workers=4, cpus=1, batch=5), []

    def killing(model, tasks, *, on_start):
        with contextlib.closing(engine(model, tasks, on_start=on_start)) as drawing:
            for number, drawn in enumerate(drawing):
                yield drawn
                if number == 8:
                    killed.append(max(workers_here()))
                    os.kill(killed[0], signal.SIGKILL)

    options = {**OPTIONS, "steps": 12, "site": False, "progress": False}
    of_ray = build_atlas(patterns, out=tmp_path / "ray", engine=killing, **options)
    assert killed and of_ray.count() == (52, 52)
    assert_equal(build_atlas(patterns, out=tmp_path / "one", **options), of_ray)


def test_a_machine_that_joins_gets_workers_and_one_that_leaves_loses_nothing(cluster, patterns, monkeypatch):
    monkeypatch.setattr(ray_crew, "LOOK", 0.5)
    there, nodes = [], []

    def come_and_go(drawn):
        there.append(len(workers_here()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if len(there) == 4:
                nodes.append(cluster.add_node(num_cpus=1))
            if nodes and there[-1] == 3:
                cluster.remove_node(nodes.pop(), allow_graceful=False)
        # Batches are left for a worker on it.
        time.sleep(0.5 if nodes else 0)

    tasks = tasks_of(patterns, 4)
    found = draw(OnRay(cpus=1, batch=2), patterns, tasks, each=come_and_go)
    assert max(there) == 3 and not nodes
    assert same(found, draw(local, patterns, tasks))


def test_what_fails_in_a_worker_is_tried_again_and_then_told(cluster, patterns, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(ray_crew, "TRIES", 2)
    tasks = [replace(task, units=(1, 2, 3)) for task in tasks_of(patterns, 4)]
    once, always = (failing(task, tmp_path / str(times), times) for task, times in zip(tasks, (1, 99), strict=True))
    came = {}
    with pytest.raises(FeatvizError, match=r"2 workers in a row ended drawing conv2 \(main\)") as error:
        draw(
            OnRay(workers=1, cpus=1),
            patterns,
            [once, always],
            each=lambda drawn: came.update({(drawn.task.series.layer, drawn.unit): drawn.pictures}),
        )
    assert "RESOURCE_EXHAUSTED: out of memory" in str(error.value) and "\n" not in str(error.value)
    assert same(came, draw(local, patterns, tasks[:1]))
    said = capfd.readouterr().err
    assert "RESOURCE_EXHAUSTED: out of memory; its 3 pictures of conv1 (main) are drawn again" in said
    assert [len(list((tmp_path / name).iterdir())) for name in ("1", "99")] == [1, 2]


def test_what_featviz_refuses_in_a_worker_is_raised_as_it_is(cluster, patterns):
    tasks = [replace(tasks_of(patterns, 4)[0], units=(1,), lanes=0)]
    with pytest.raises(FeatvizError, match=r"^`lanes` is 0; expected a whole number from 1"):
        draw(OnRay(workers=1, cpus=1), patterns, tasks)


def test_a_worker_of_another_kind_than_planned_is_refused(cluster, patterns):
    task = tasks_of(patterns, 4)[0]
    device = {"platform": "gpu", "kind": "H"}
    elsewhere = replace(task, series=replace(task.series, run={**task.series.run, "device": device}))
    with pytest.raises(FeatvizError, match="a worker has platform cpu, kind cpu, and the pictures are planned for "):
        draw(OnRay(workers=1, cpus=1, gpus=0), patterns, [elsewhere])
    check = on_ray._checker(task.series.run)
    here = {**describe_machine(), "featviz": fv.__version__}
    check(here)
    with pytest.raises(FeatvizError, match="a worker has featviz 0, and the pictures are planned for featviz "):
        check({**here, "featviz": "0"})
    with pytest.raises(FeatvizError, match="a worker has optax 0, and "):
        check(
            {**describe_machine(), "featviz": fv.__version__, "versions": {**task.series.run["versions"], "optax": 0}}
        )


def test_an_interrupt_while_nothing_has_room_leaves_no_worker(cluster, patterns, monkeypatch):
    def interrupt(line):
        assert "each takes 64 CPU, and 2 CPU and 0 GPU of the cluster are free" in line
        raise KeyboardInterrupt

    wait_for(lambda: cluster_has(2))
    monkeypatch.setattr(ray_crew, "PATIENCE", 0.5)
    monkeypatch.setattr(on_ray, "PATIENCE", 0.5)
    monkeypatch.setattr(ray_needs, "say", interrupt)
    with pytest.raises(KeyboardInterrupt):
        draw(OnRay(workers=2, cpus=64), patterns, tasks_of(patterns, 4))
    with pytest.raises(KeyboardInterrupt):
        OnRay(cpus=64).probe()
    wait_for(lambda: workers_here() == [])


def cluster_has(cores):
    import ray

    return ray.available_resources().get("CPU") == cores


def test_only_deaths_over_a_batch_count_and_progress_forgives_them(cluster, patterns):
    import ray

    crew = WorkerPool(ray, None, Resources(1, 0), most=1, check=lambda about: None)
    batches = Batches(tasks_of(patterns, 4), size=4, settle=False)
    batch, died = batches.take(), ray.exceptions.ActorDiedError()
    for _ in range(9):
        crew._lost(batch, died)
    assert batch.failures == 0
    for unit in batch.task.units[:3]:
        batch.begun = True
        crew._lost(batch, died)
        crew._lost(batch, died)
        batches.came(batch, unit, 2)
    crew._lost(batch, died)
    crew._lost(batch, died)
    with pytest.raises(FeatvizError, match="3 workers in a row ended drawing conv1"):
        crew._lost(batch, died)


def test_workers_that_cannot_start_are_told(patterns):
    class NoRay:
        exceptions = pytest.importorskip("ray").exceptions

        def get(self, answer):
            raise self.exceptions.ActorDiedError()

        def kill(self, worker):
            pass

    crew = WorkerPool(NoRay(), None, Resources(1, 0), most=1, check=lambda about: None)
    for _ in range(2):
        crew.starting["answer"] = "worker"
        crew._start("answer")
    crew.starting["answer"] = "worker"
    with pytest.raises(FeatvizError, match="3 workers in a row could not start, the last one of ActorDiedError"):
        crew._start("answer")


def test_on_an_accelerator_all_batches_of_a_task_have_the_lanes_of_the_first(patterns):
    first, second = tasks_of(patterns, 4)
    batches = Batches([first, second], size=8, settle=True)
    one, two = batches.take(), batches.take()
    assert (one.whole, two.whole, batches.take()) == (first, second, None) and one.task.lanes is None
    # Without a picture, another batch of the task finds them.
    batches.back(one)
    one = batches.take()
    assert one.whole is first and one.task.lanes is None
    batches.came(one, 0, 24)
    batches.came(one, 1, 24)
    three = batches.take()
    assert (three.whole, three.task.lanes) == (first, 24) and batches.take().task.lanes == 24
    batches.back(one)
    again = batches.take()
    assert (again.task.units, again.task.lanes) == (tuple(range(2, 8)), 24)
    fixed = Batches([replace(first, lanes=8)], size=8, settle=True)
    assert [fixed.take().task.lanes, fixed.take().task.lanes] == [8, 8]
    free = Batches([first], size=8, settle=False)
    assert [free.take().task.lanes, free.take().task.lanes] == [None, None]


def test_what_is_refused(patterns, monkeypatch):
    pytest.importorskip("ray")
    for options, name in (({"workers": 0}, "workers"), ({"gpus": -1}, "gpus"), ({"gpus": 0.5}, "gpus")):
        with pytest.raises(FeatvizError, match=f"^`{name}` is "):
            OnRay(**options)
    for options, name in (({"cpus": 0}, "cpus"), ({"batch": 0}, "batch"), ({"workers": True}, "workers")):
        with pytest.raises(FeatvizError, match=f"^`{name}` is "):
            OnRay(**options)
    with pytest.raises(FeatvizError, match="`ray://there:10001` is Ray Client, .* `ray job submit`$"):
        OnRay("ray://there:10001")


def test_an_address_where_there_is_none(monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("RAY_ADDRESS", "ray://there:10001")
    with pytest.raises(FeatvizError, match="is Ray Client"):
        OnRay().probe()

    def init(address, **options):
        raise ConnectionError("Could not find\nany running Ray instance")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(FeatvizError, match="^no Ray cluster answers at auto: Could not find any running Ray instance$"):
        OnRay("auto").probe()


def test_ray_that_is_not_there(monkeypatch, patterns):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FeatvizError, match=r"pip install featviz\[ray\]"):
        draw(OnRay(), patterns, tasks_of(patterns, 2))
