"""Files that hold no dictionary, are damaged, or would run something if they were unpickled."""

import os
import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from featviz.dictionaries import load_dictionary
from featviz.errors import FeatvizError


def refusal(path):
    with pytest.raises(FeatvizError) as caught:
        load_dictionary(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


class Posing:
    """A class of a library's name whose pickle calls something."""

    def __reduce__(self):
        return eval, ("__import__('os').mkdir('made-by-a-pickle')",)


@pytest.mark.parametrize("thing", [Hostile(), {"W_enc": Hostile()}, Posing()])
def test_nothing_in_a_pickle_is_called(thing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("sae.pt", "w") as archive:
        archive.writestr("sae/data.pkl", pickle.dumps(thing, protocol=2))
        archive.writestr("sae/byteorder", "little")
    said = refusal(tmp_path / "sae.pt")
    assert "which is not part of a tensor; nothing was run" in said
    assert not (tmp_path / "made-by-a-pickle").exists()


def test_files_of_other_kinds(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    assert "`a.pt` is a PNG picture; expected a dictionary of featviz" in refusal(tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(b"")
    assert "`b.pt` is of an unknown kind" in refusal(tmp_path / "b.pt")
    assert "`c.pt` does not exist" in refusal(tmp_path / "c.pt")
    (tmp_path / "d.safetensors").write_bytes(bytes([2]) + bytes(7) + b"{]")
    assert "`d.safetensors` cannot be read as a dictionary" in refusal(tmp_path / "d.safetensors")
    (tmp_path / "e.npz").write_bytes(b"PK\x03\x04 no archive")
    assert "`e.npz` cannot be read as a dictionary" in refusal(tmp_path / "e.npz")


def test_folders(tmp_path):
    assert f"the folder `{tmp_path.name}` holds no weights" in refusal(tmp_path)
    for name in ("a.safetensors", "b.safetensors"):
        save_file({"W": np.zeros(2, np.float32)}, tmp_path / name)
    assert "holds several files of weights; expected one of `a.safetensors`, `b.safetensors`" in refusal(tmp_path)
    (tmp_path / "b.safetensors").unlink()
    for text in ("{", "[" * 200_000):
        (tmp_path / "cfg.json").write_text(text)
        assert "`cfg.json` beside `a.safetensors` is no JSON" in refusal(tmp_path)


def test_a_first_line_that_is_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b'{"a":' * 150_000 + b"\n")
    assert "its first line is no JSON" in refusal(tmp_path / "a.pt")
