"""What a run does about damaged and half-written entries."""

import pytest
from support.atlases import OPTIONS, assert_equal

import featviz as fv
from featviz.atlas.build import build_atlas
from featviz.errors import FeatvizError
from featviz.pages.records import Role


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "missing", "metadata", "outcome"])
def test_a_damaged_entry_is_named_and_rendered_again(tiny, complete, copied_atlas, capsys, damage):
    group = copied_atlas / complete.find("conv1").path
    chunk = group / "pixels" / "c.7.0.0.0"
    match damage:
        case "cut":
            chunk.write_bytes(chunk.read_bytes()[:-20])
        case "flipped":
            data = bytearray(chunk.read_bytes())
            data[len(data) // 2] ^= 1
            chunk.write_bytes(data)
        case "empty":
            chunk.write_bytes(b"")
        case "missing":
            chunk.unlink()
        case "metadata":
            (group / "score" / "zarr.json").write_text('{"zarr_format": 3, "no')
        case "outcome":
            (group / "outcome" / "c.7").write_bytes(b"??")
    repaired = build_atlas(tiny, out=copied_atlas, full=["conv2"], compact=False, **OPTIONS)
    assert_equal(complete, repaired)
    said = capsys.readouterr().err
    assert ("conv1:7 (main) is damaged and is rendered again" in said) == (damage != "metadata")


def test_damage_of_other_entries_does_not_stop_a_run(tiny, complete, copied_atlas):
    group = copied_atlas / complete.find("conv1").path
    (group / "outcome" / "c.7").write_bytes(b"??")
    (group / "pixels" / "c.9.0.0.0").write_bytes(b"")
    made = build_atlas(tiny, out=copied_atlas, units={"conv1": [3]}, compact=False, **OPTIONS)
    assert made.entries(made.find("conv1").path).outcomes()[[3, 7, 9]].tolist()[:2] == [2, 0]
    outcomes = {(row.role, row.layer, row.unit): row.outcome for row in made.rows()}
    assert outcomes[Role.MAIN, "conv1", 7] == outcomes[Role.MAIN, "conv1", 9] == "damaged"
    assert "damaged: conv1:7, conv1:9" in made.report()


def test_half_written_entries_do_not_count(tiny, complete, copied_atlas):
    group = copied_atlas / complete.find("conv1").path
    (group / "outcome" / "c.5").unlink()
    half = group / "pixels" / "c.5.0.0.0123456789abcdef.partial"
    half.write_bytes(b"half of it")
    assert fv.open_atlas(copied_atlas).count()[0] == complete.count()[0] - 1
    with pytest.raises(FeatvizError, match="no picture of `conv1:5`"):
        fv.open_atlas(copied_atlas).picture("conv1:5")
    assert_equal(complete, build_atlas(tiny, out=copied_atlas, full=["conv2"], compact=False, **OPTIONS))
    assert not half.exists()
