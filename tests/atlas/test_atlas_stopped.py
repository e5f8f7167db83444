"""An atlas in real processes: killed, interrupted, shared out, in each other's way, on a full disk."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.disks import small_disk
from test_atlas import assert_equal

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.journal import read_journal
from featviz.atlas.locks import hold
from featviz.errors import FeatvizError

# Entries that one process may have begun and not written: two lanes that run, and the two that ended before them.
IN_FLIGHT = 4
COMMAND = [sys.executable, "-c", "from featviz.cli.main import run; run()", "atlas", "patterns"]
# Programs of this recipe compile in no time.
SMALL = ["--layers", "conv1,conv2", "--recipe", "erhan_2009", "--size", "24", "--no-site"]
OPTIONS = {"layers": ["conv1", "conv2"], "recipe": fv.recipes.erhan_2009, "size": 24, "site": False, "progress": False}


def start(folder, *options):
    return subprocess.Popen(
        [*COMMAND, "-o", str(folder), *SMALL, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def written(folder):
    lines = read_journal(Path(folder) / "journal") if (Path(folder) / "journal").is_dir() else []
    return sum(line.event == "done" for some in lines for line in some)


def wait_for(condition, *, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


def test_killed_three_times_it_ends_as_if_it_had_not_been(tmp_path):
    """By what the journal holds, not by the clock: benchmarks/atlas_kills.py does it at random times."""
    killed = 0
    for more in (1, 7, 4):
        before = written(tmp_path / "a")
        process = start(tmp_path / "a", "--steps", "200", "--quiet")
        wait_for(lambda: written(tmp_path / "a") >= before + more or process.poll() is not None)  # noqa: B023
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed == 3 and 12 <= written(tmp_path / "a") < 52
    shaken = build_atlas(fv.load("patterns"), out=tmp_path / "a", steps=200, **OPTIONS)
    whole = build_atlas(fv.load("patterns"), out=tmp_path / "b", steps=200, **OPTIONS)
    assert shaken.count() == whole.count() == (52, 52)
    assert_equal(whole, shaken)
    done: set[tuple[str, int]] = set()
    for lines in read_journal(tmp_path / "a" / "journal"):
        begun, ended = ({(line.series, line.unit) for line in lines if line.event == it} for it in ("start", "done"))
        assert not begun & done and len(begun - ended) <= IN_FLIGHT
        done |= ended


def test_ctrl_c_finishes_the_write_and_says_how_to_go_on(tmp_path):
    process = start(tmp_path / "a", "--steps", "200", "--quiet")
    wait_for(lambda: written(tmp_path / "a") >= 3 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "the same command continues" in said and len(said.splitlines()) == 1
    count = int(re.search(r"stopped; (\d+) of 52 pictures", said)[1])
    there = fv.open_atlas(tmp_path / "a")
    assert there.count() == (count, 52) and count >= 3
    own = there.entries(there.plan[0]["path"])
    assert own.there() and own.damaged(own.there()) == {}


def test_four_shares_in_four_processes_equal_one_run(tmp_path):
    shares = [start(tmp_path / "shared", "--steps", "12", "--shard", f"{number}/4") for number in range(1, 5)]
    assert [(process.communicate(timeout=300), process.returncode)[1] for process in shares] == [0] * 4
    one = build_atlas(fv.load("patterns"), out=tmp_path / "one", steps=12, **OPTIONS)
    both = fv.open_atlas(tmp_path / "shared")
    assert both.count() == one.count() == (52, 52)
    assert_equal(one, both)
    starts = [line for some in read_journal(tmp_path / "shared" / "journal") for line in some if line.event == "start"]
    assert len(starts) == 52 == len({(line.series, line.unit) for line in starts})


def test_a_run_keeps_others_off_its_units_until_it_dies(tmp_path):
    process = start(tmp_path / "a", "--steps", "100000", "--shard", "1/2", "--quiet")
    journal = tmp_path / "a" / "journal"
    wait_for(lambda: journal.is_dir() and any(read_journal(journal)))
    model = fv.load("patterns")
    with pytest.raises(FeatvizError, match="another run is drawing") as error:
        build_atlas(model, out=tmp_path / "a", steps=100000, **OPTIONS)
    assert "--shard" in str(error.value) and "\n" not in str(error.value)
    with hold(tmp_path / "a" / "locks", [("another series", range(5))]):
        pass
    process.kill()
    process.communicate()
    # No file has to be removed by hand: the kernel knows that nobody holds it.
    locks = [(series, range(48)) for series in {line.series for some in read_journal(journal) for line in some}]
    with hold(tmp_path / "a" / "locks", locks):
        assert locks


def test_threads_of_one_process_are_told_apart(tmp_path):
    with hold(tmp_path, [("series", range(5))]):
        with pytest.raises(FeatvizError, match="another run is drawing unit 4"), hold(tmp_path, [("series", [4])]):
            pass
        with hold(tmp_path, [("series", [5]), ("other", range(5))]):
            pass
        with pytest.raises(FeatvizError, match="some of the units 0 to 1"), hold(tmp_path, [("series", range(2))]):
            pass


def test_many_may_begin_one_atlas_at_once(tmp_path):
    code = """
import sys, time
from pathlib import Path
from featviz.atlas.atlas_store import open_store
while time.time() < float(sys.argv[2]):
    pass
for number in range(20):
    store = open_store(Path(sys.argv[1]) / str(number), writable=True, create=True)
    store.add("pictures/a/main-0", (2, 2, 3), 4, 5, {"layer": "a"})
    store.add_plan("p", {"shared": "s", "series": [], "at": 1.0})
    assert store.entries("pictures/a/main-0").units == 4 and len(store.plans()) == 1
"""
    at = str(time.time() + 3)
    racing = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), at], stderr=subprocess.PIPE) for _ in range(6)
    ]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in racing] == [(b"", 0)] * 6


def test_killed_as_it_began_it_begins_again(tmp_path):
    (tmp_path / "a" / "locks").mkdir(parents=True)
    (tmp_path / "a" / "zarr.0123456789abcdef.partial").write_bytes(b'{"zarr_form')
    options = {**OPTIONS, "units": [0], "steps": 2}
    assert build_atlas(fv.load("patterns"), out=tmp_path / "a", **options).count() == (2, 2)


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path):
    model, options = fv.load("patterns"), {**OPTIONS, "steps": 4}
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(FeatvizError, match=r"cannot be written: No space left on device; what is drawn is kept"):
            build_atlas(model, out=disk / "a", **options)
        kept = fv.open_atlas(disk / "a")
        done = kept.count()[0]
        assert 0 < done < 52
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        whole = build_atlas(model, out=disk / "a", **options)
        assert whole.count() == (52, 52)
        assert_equal(build_atlas(model, out=tmp_path / "b", **options), whole)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(FeatvizError, match="cannot be written: Read-only file system"):
            build_atlas(model, out=disk / "a", **options | {"steps": 5})
        assert fv.open_atlas(disk / "a").count() == (52, 52)
