"""Locks on units hold against other processes and threads, until the process ends."""

import pytest
from support.atlases import PATTERNS
from support.processes import start_atlas, wait_for

from featviz.atlas.build import build_atlas
from featviz.atlas.journal import read_journal
from featviz.atlas.locks import lock_units
from featviz.errors import FeatvizError


def test_a_run_holds_its_units_until_it_ends(patterns, tmp_path):
    process = start_atlas(tmp_path / "a", "--steps", "100000", "--shard", "1/2", "--quiet")
    journal = tmp_path / "a" / "journal"
    wait_for(lambda: journal.is_dir() and any(read_journal(journal)))
    options = {**PATTERNS, "site": False, "progress": False}
    with pytest.raises(FeatvizError, match="another run is rendering") as error:
        build_atlas(patterns, out=tmp_path / "a", steps=100000, **options)
    assert "--shard" in str(error.value) and "\n" not in str(error.value)
    with lock_units(tmp_path / "a" / "locks", [("another series", range(5))]):
        pass
    process.kill()
    process.communicate()
    # No file has to be removed by hand: the kernel knows that nobody holds it.
    locks = [(series, range(48)) for series in {event.series for events in read_journal(journal) for event in events}]
    with lock_units(tmp_path / "a" / "locks", locks):
        assert locks


def test_threads_of_one_process_exclude_each_other(tmp_path):
    with lock_units(tmp_path, [("series", range(5))]):
        with (
            pytest.raises(FeatvizError, match="another run is rendering unit 4"),
            lock_units(tmp_path, [("series", [4])]),
        ):
            pass
        with lock_units(tmp_path, [("series", [5]), ("other", range(5))]):
            pass
        with pytest.raises(FeatvizError, match="some of units 0 to 1"), lock_units(tmp_path, [("series", range(2))]):
            pass
