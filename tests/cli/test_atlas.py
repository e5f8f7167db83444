"""The commands `atlas` and `export`: what they print, and what they refuse."""

import pytest
from support.atlases import add_synthetic, synthetic

import featviz as fv
from featviz.atlas.atlas_store import open_store
from featviz.cli.main import run


def fails(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        run(["atlas", "patterns", *arguments])
    return ended.value.code, capsys.readouterr().err


def test_wrong_commands(capsys, tmp_path):
    out = ["-o", str(tmp_path / "a")]
    for arguments, says in (
        (["--layers", "mixd4a"], "matches `mixd4a`"),
        (["--shard", "5/4"], "--shard is `5/4`; expected I/N"),
        (["--units", "5-2"], "--units is `5-2`"),
        (["--units", "conv1:99"], "`units` is 99"),
        (["--full", "nose"], "`full`: no layer"),
        (["--recipe", "lucd"], "did you mean `lucid`"),
        (["--size", "2"], "`size` is 2"),
        (["--edit", "conv1:99=zero"], "--edit is `conv1:99=zero`"),
    ):
        status, said = fails(capsys, *out, *arguments)
        assert status == 2 and says in said and len(said.splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_the_commands(capsys, tmp_path):
    out = str(tmp_path / "a")
    options = ["--layers", "conv1", "--units", "0-1", "--recipe", "erhan_2009", "--size", "16", "--steps", "4"]
    run(["atlas", "patterns", "-o", out, *options, "--plan"])
    assert "2 units, 2 entries" in capsys.readouterr().out and not (tmp_path / "a").exists()
    run(["atlas", "patterns", "-o", out, *options])
    said = capsys.readouterr().out
    assert "2 of 2 entries" in said and (tmp_path / "a" / "site" / "index.html").as_uri() in said
    run(["export", out, "-o", str(tmp_path / "e"), "--format", "npy", "--layers", "conv*"])
    with pytest.raises(SystemExit):
        run(["export", out, "-o", str(tmp_path / "e"), "--layers", "conv1,conv2"])
    assert "the atlas has no layer `conv2`; did you mean `conv1`?" in capsys.readouterr().err
    assert (tmp_path / "e" / "conv1" / "1.npy").is_file()
    command = fv.open_atlas(out).picture("conv1:1").provenance["command"]
    assert command == "featviz render patterns conv1:1 --recipe erhan_2009 --size 16 --steps 4 --seed 0 -o conv1-1.png"
    with pytest.raises(SystemExit):
        run(["export", str(tmp_path / "none"), "-o", str(tmp_path / "e")])
    assert "does not exist" in capsys.readouterr().err


def test_compacting_needs_no_network(capsys, tmp_path):
    store = open_store(tmp_path / "a", writable=True, create=True)
    add_synthetic(store, 3).write(1, [synthetic(1)])
    run(["atlas", "-o", str(tmp_path / "a"), "--compact"])
    assert capsys.readouterr().out == "layer/main-0  1 entries, 12 files -> 12\n"
    run(["atlas", "-o", str(tmp_path / "a"), "--compact"])
    assert "nothing to compact" in capsys.readouterr().out
    for arguments, says in (
        (["-o", str(tmp_path / "none"), "--compact"], "does not exist"),
        (["-o", str(tmp_path / "a")], "Missing argument 'MODEL'"),
        (
            ["patterns", "-o", str(tmp_path / "a"), "--compact"],
            "--compact goes with --out and --quiet alone; found MODEL",
        ),
        (["-o", str(tmp_path / "a"), "--compact", "--layers", "conv1"], "found --layers"),
        (["-o", str(tmp_path / "a"), "--compact", "--no-site"], "found --site"),
    ):
        with pytest.raises(SystemExit):
            run(["atlas", *arguments])
        assert says in capsys.readouterr().err
