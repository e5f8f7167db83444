"""The Ray engine on real local clusters: workers that are killed, fail or never start; machines that leave."""

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
from support.atlases import PATTERNS, PATTERNS_STEPS, assert_equal, plan_tasks
from support.processes import wait_for

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.engines import render_locally
from featviz.atlas.ray import engine as engine_module
from featviz.atlas.ray import worker_pool as pool_module
from featviz.atlas.ray import workers as workers_module
from featviz.atlas.ray.engine import OnRay
from featviz.atlas.series import Series
from featviz.errors import FeatvizError
from featviz.pictures.provenance import describe_machine

pytestmark = pytest.mark.slow


def render_all(engine, model, tasks, *, each=lambda entry: None):
    """All entries of an engine, by layer and unit; `each` is called with each one as it comes."""
    found = {}
    with contextlib.closing(engine(model, tasks, on_start=lambda task, unit: None)) as drawing:
        for entry in drawing:
            name = entry.task.series.layer, entry.unit
            assert name not in found
            found[name] = entry.pictures
            each(entry)
    return found


def same(first, second):
    return first.keys() == second.keys() and all(
        np.array_equal(a.pixels, b.pixels) and a.score == b.score and np.array_equal(a.history, b.history)
        for name in first
        for a, b in zip(first[name], second[name], strict=True)
    )


def workers_here():
    """The processes of workers below this one: not those of other clusters."""
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


@dataclass(frozen=True, kw_only=True)
class Failing(Series):
    """A series that fails in the first `times` processes other than this one; files in `marks` count them."""

    marks: Path
    times: int
    home: int

    def objective(self, unit):
        if os.getpid() != self.home and len(list(self.marks.iterdir())) < self.times:
            (self.marks / str(os.getpid())).touch()
            raise RuntimeError("RESOURCE_EXHAUSTED: out of\nmemory")
        return super().objective(unit)


def failing(task, folder, times):
    folder.mkdir()
    own = {field.name: getattr(task.series, field.name) for field in fields(task.series)}
    return replace(task, series=Failing(**own, marks=folder, times=times, home=os.getpid()))


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


def test_what_a_session_starts_ends_with_it(patterns):
    ray = pytest.importorskip("ray")
    filters, engine = list(warnings.filters), OnRay("local", workers=1, cpus=1)
    with contextlib.suppress(KeyboardInterrupt), engine.session():
        # As a picture's provenance says it.
        assert engine.probe() == describe_machine() and ray.is_initialized()
        raise KeyboardInterrupt
    assert not ray.is_initialized() and warnings.filters == filters


def test_with_a_worker_killed_the_atlas_equals_that_of_one_machine(cluster, patterns, patterns_atlas, tmp_path):
    # There is room for two of the four: the others get no batches before they are there, which is never.
    engine, killed = OnRay(workers=4, cpus=1, batch=5), []

    def killing(model, tasks, *, on_start):
        with contextlib.closing(engine(model, tasks, on_start=on_start)) as drawing:
            for number, entry in enumerate(drawing):
                yield entry
                if number == 8:
                    killed.append(max(workers_here()))
                    os.kill(killed[0], signal.SIGKILL)

    options = {**PATTERNS, "steps": PATTERNS_STEPS, "site": False, "progress": False}
    of_ray = build_atlas(patterns, out=tmp_path / "ray", engine=killing, **options)
    assert killed and of_ray.count() == (52, 52)
    assert_equal(patterns_atlas, of_ray)


def test_a_machine_that_joins_gets_workers_and_one_that_leaves_loses_nothing(cluster, patterns, monkeypatch):
    monkeypatch.setattr(pool_module, "POLL_INTERVAL", 0.5)
    there, nodes = [], []

    def come_and_go(entry):
        there.append(len(workers_here()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if len(there) == 4:
                nodes.append(cluster.add_node(num_cpus=1))
            if nodes and there[-1] == 3:
                cluster.remove_node(nodes.pop(), allow_graceful=False)
        # Batches are left for a worker on it, which a busy machine starts slowly.
        time.sleep(3 if nodes else 0)

    tasks = plan_tasks(patterns, 4)
    found = render_all(OnRay(cpus=1, batch=2), patterns, tasks, each=come_and_go)
    assert max(there) == 3 and not nodes
    assert same(found, render_all(render_locally, patterns, tasks))


def test_what_fails_in_a_worker_is_tried_again_and_then_reported(cluster, patterns, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(pool_module, "MAX_FAILURES", 2)
    tasks = [replace(task, units=(1, 2, 3)) for task in plan_tasks(patterns, 4)]
    once, always = (failing(task, tmp_path / str(times), times) for task, times in zip(tasks, (1, 99), strict=True))
    came = {}
    with pytest.raises(FeatvizError, match=r"2 workers in a row ended while rendering conv2 \(main\)") as error:
        render_all(
            OnRay(workers=1, cpus=1),
            patterns,
            [once, always],
            each=lambda entry: came.update({(entry.task.series.layer, entry.unit): entry.pictures}),
        )
    assert "RESOURCE_EXHAUSTED: out of memory" in str(error.value) and "\n" not in str(error.value)
    assert same(came, render_all(render_locally, patterns, tasks[:1]))
    said = capfd.readouterr().err
    assert "RESOURCE_EXHAUSTED: out of memory; its 3 pictures of conv1 (main) are rendered again" in said
    assert [len(list((tmp_path / name).iterdir())) for name in ("1", "99")] == [1, 2]


def test_errors_of_featviz_in_a_worker_are_raised_as_they_are(cluster, patterns):
    tasks = [replace(plan_tasks(patterns, 4)[0], units=(1,), lanes=0)]
    with pytest.raises(FeatvizError, match=r"^`lanes` is 0; expected a whole number from 1"):
        render_all(OnRay(workers=1, cpus=1), patterns, tasks)


def test_a_worker_of_another_kind_than_planned_is_refused(cluster, patterns):
    task = plan_tasks(patterns, 4)[0]
    device = {"platform": "gpu", "kind": "H"}
    elsewhere = replace(task, series=replace(task.series, run={**task.series.run, "device": device}))
    with pytest.raises(FeatvizError, match="a worker has platform cpu, kind cpu, but the pictures are planned for "):
        render_all(OnRay(workers=1, cpus=1, gpus=0), patterns, [elsewhere])
    check = engine_module._worker_check(task.series.run)
    here = {**describe_machine(), "featviz": fv.__version__}
    check(here)
    with pytest.raises(FeatvizError, match="a worker has featviz 0, but the pictures are planned for featviz "):
        check({**here, "featviz": "0"})
    with pytest.raises(FeatvizError, match="a worker has optax 0, but "):
        check(
            {**describe_machine(), "featviz": fv.__version__, "versions": {**task.series.run["versions"], "optax": 0}}
        )


def test_an_interrupt_while_nothing_has_room_leaves_no_worker(cluster, patterns, monkeypatch):
    def interrupt(line):
        assert "each takes 64 CPU, and 2 CPU and 0 GPU of the cluster are free" in line
        raise KeyboardInterrupt

    wait_for(lambda: cluster_has(2))
    monkeypatch.setattr(pool_module, "PATIENCE", 0.5)
    monkeypatch.setattr(engine_module, "PATIENCE", 0.5)
    monkeypatch.setattr(workers_module, "report", interrupt)
    with pytest.raises(KeyboardInterrupt):
        render_all(OnRay(workers=2, cpus=64), patterns, plan_tasks(patterns, 4))
    with pytest.raises(KeyboardInterrupt):
        OnRay(cpus=64).probe()
    wait_for(lambda: workers_here() == [])


def cluster_has(cores):
    import ray

    return ray.available_resources().get("CPU") == cores


def test_invalid_options_are_refused_by_the_engine(patterns, monkeypatch):
    pytest.importorskip("ray")
    for options, name in (({"workers": 0}, "workers"), ({"gpus": -1}, "gpus"), ({"gpus": 0.5}, "gpus")):
        with pytest.raises(FeatvizError, match=f"^`{name}` is "):
            OnRay(**options)
    for options, name in (({"cpus": 0}, "cpus"), ({"batch": 0}, "batch"), ({"workers": True}, "workers")):
        with pytest.raises(FeatvizError, match=f"^`{name}` is "):
            OnRay(**options)
    with pytest.raises(FeatvizError, match="`ray://there:10001` is Ray Client, .* `ray job submit`$"):
        OnRay("ray://there:10001")


def test_an_address_without_a_cluster(monkeypatch):
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


def test_without_ray_installed(monkeypatch, patterns):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FeatvizError, match=r"pip install featviz\[ray\]"):
        render_all(OnRay(), patterns, plan_tasks(patterns, 2))
