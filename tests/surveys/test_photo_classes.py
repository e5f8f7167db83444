"""Classes by folder, and their entropy."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from featviz.surveys.photo_classes import count_classes, folder_classes


def a_survey(files, windows=1):
    class Survey(SimpleNamespace):
        def __len__(self):
            return len(self.files) * self.windows**2

    return Survey(files=files, windows=windows, store=SimpleNamespace(group={}), folder=Path("photos"))


def test_photographs_in_several_folders_have_classes():
    assert folder_classes(a_survey(["cat/a.jpg", "dog/b.jpg"])) == ("cat", "dog")
    assert folder_classes(a_survey(["a/cat/1.jpg", "b/dog/2.jpg"], windows=2)) == ("cat",) * 4 + ("dog",) * 4
    assert folder_classes(a_survey(["a.jpg", "b.jpg"])) is None
    assert folder_classes(a_survey(["a.jpg", "cat/b.jpg"])) == ("photos", "cat")
    assert folder_classes(a_survey(["cat/a.jpg", "cat/b.jpg"])) is None


def test_entropy():
    assert count_classes([]).entropy == 0 and count_classes(["a"] * 7) == ((("a", 7),), 0.0)
    counted = count_classes(["b", "a", "a", "c"])
    assert counted.counts == (("a", 2), ("b", 1), ("c", 1)) and counted.entropy == pytest.approx(1.5)
    assert count_classes(np.arange(8).astype(str).tolist()).entropy == pytest.approx(3)
