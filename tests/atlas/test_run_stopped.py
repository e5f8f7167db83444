"""Runs in real processes that are killed, interrupted, or stopped by a full disk."""

import re
import signal
import subprocess

import pytest
from support.atlases import PATTERNS, PATTERNS_STEPS, assert_equal
from support.disks import small_disk
from support.processes import PATIENCE, count_written, start_atlas, wait_for

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.atlas.journal import read_journal
from featviz.errors import FeatvizError

pytestmark = pytest.mark.slow

# Entries that one process may have started and not written: two lanes that run, and the two that ended before them.
IN_FLIGHT = 4


def test_killed_three_times_it_equals_an_uninterrupted_run(patterns, patterns_atlas, tmp_path):
    """Kills are timed by the journal, not by the clock; benchmarks/atlas_kills.py kills at random times."""
    folder, killed = tmp_path / "a", 0
    for more in (1, 7, 4):
        before = count_written(folder)
        process = start_atlas(folder, "--steps", str(PATTERNS_STEPS), "--quiet")
        wait_for(lambda: count_written(folder) >= before + more or process.poll() is not None)  # noqa: B023
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed == 3 and 12 <= count_written(folder) < 52
    options = {**PATTERNS, "site": False, "progress": False, "steps": PATTERNS_STEPS}
    resumed = build_atlas(patterns, out=folder, **options)
    assert resumed.count() == patterns_atlas.count() == (52, 52)
    assert_equal(patterns_atlas, resumed)
    done: set[tuple[str, int]] = set()
    for events in read_journal(folder / "journal"):
        started, ended = ({(e.series, e.unit) for e in events if e.event == kind} for kind in ("start", "done"))
        assert not started & done and len(started - ended) <= IN_FLIGHT
        done |= ended


def test_ctrl_c_finishes_the_write_and_says_how_to_continue(tmp_path):
    process = start_atlas(tmp_path / "a", "--steps", "200", "--quiet")
    wait_for(lambda: count_written(tmp_path / "a") >= 3 or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "the same command continues" in said and len(said.splitlines()) == 1
    count = int(re.search(r"stopped; (\d+) of 52 pictures", said)[1])
    there = fv.open_atlas(tmp_path / "a")
    assert there.count() == (count, 52) and count >= 3
    entries = there.entries(there.plan[0].path)
    assert entries.written() and entries.damaged(entries.written()) == {}


def test_a_full_disk_is_reported_and_nothing_is_lost(patterns, tmp_path):
    model, options = patterns, {**PATTERNS, "site": False, "progress": False, "steps": 4}
    with small_disk(tmp_path / "disk") as disk:
        with pytest.raises(
            FeatvizError, match=r"cannot be written: No space left on device; finished pictures are kept"
        ):
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
