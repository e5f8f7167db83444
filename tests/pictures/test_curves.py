"""The curves show every history as it is and name every line."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featviz.ascent.outcome import Outcome
from featviz.errors import FeatvizError
from featviz.pictures.curves import save_curves, score_curves, spread_labels
from featviz.pictures.picture import Picture


def make(unit: object = 0, *, layer: str = "inception_4c:", steps: int = 16, seed: int = 0, **changes: Any) -> Picture:
    given: dict[str, Any] = {
        "pixels": np.zeros((2, 3, 1)),
        "score": 12.345,
        "outcome": Outcome.CONVERGED,
        "history": np.cumsum(np.random.default_rng(seed).uniform(size=steps)),
        "provenance": {"name": f"{layer}{unit}"},
    }
    return Picture(**{**given, **changes})


def test_curves_show_the_history() -> None:
    history = np.array([1, np.nan, 2, np.inf])
    broken = make(2, history=history, outcome=Outcome.NOT_FINITE)
    pictures = [make(1), broken, make(3, steps=1), make(4, steps=0)]
    (axes,) = score_curves(pictures).axes
    assert len(axes.lines) == 4
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), np.arange(1, 17))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), pictures[0].history)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), [1, np.nan, 2, np.nan])
    assert sorted(text.get_text() for text in axes.texts) == ["1", "2 not finite", "3"]
    assert axes.get_xlabel() == "step" and axes.get_yscale() == "linear"


def test_curves_of_many_layers_and_of_nothing_finite() -> None:
    (axes,) = score_curves([make(1, layer="a:"), make(1, layer="b:")]).axes
    assert sorted(text.get_text() for text in axes.texts) == ["a:1", "b:1"]
    nothing = make(history=np.array([np.nan, np.inf]), outcome=Outcome.NOT_FINITE)
    score_curves([nothing]).savefig(io.BytesIO(), format="png")
    (axes,) = score_curves([make(unit) for unit in range(65)]).axes
    assert len(axes.lines) == 65 and not axes.texts


def test_curves_leave_pyplot_alone() -> None:
    from matplotlib import pyplot

    score_curves([make()])
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_saved_curves_are_the_same_each_time(tmp_path: Path, suffix: str) -> None:
    pictures = [make(unit, seed=unit) for unit in range(2)]
    first, second = (save_curves(pictures, tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert first == second and len(first) > 1000


def test_spread_labels_keeps_order_and_distance() -> None:
    for seed in range(20):
        positions = sorted(np.random.default_rng(seed).uniform(size=12).tolist())
        for step in (0.01, 0.05, 0.5):
            moved = spread_labels(positions, step)
            assert min(moved) >= 0 and max(moved) <= 1 + 1e-9
            assert np.diff(moved).min() >= min(step, 1 / 11) - 1e-9
    assert spread_labels([0.1, 0.5], 0.1) == pytest.approx([0.1, 0.5]) and spread_labels([0.3], 0.1) == [0.3]


def test_wrong_curves(tmp_path: Path) -> None:
    for call, match in [
        (lambda: score_curves([]), "`pictures` is empty"),
        (lambda: score_curves([make(steps=0)]), "no history"),
        (lambda: save_curves([make()], tmp_path / "a.webp"), "ends in `.webp`; expected one of|did you mean"),
        (lambda: save_curves([make()], tmp_path / "b" / "a.png"), "does not exist"),
    ]:
        with pytest.raises(FeatvizError, match=match) as error:
            call()
        assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == []


def test_the_bold_curve_is_that_of_the_picture_and_the_faint_one_that_of_its_views() -> None:
    looks = np.array([[0, 1.0], [16, 3.0], [20, np.nan]])
    drawn = [make(1, steps=20, clean_history=looks), make(2, steps=20)]
    (axes,) = score_curves(drawn).axes
    faint, bold, old = axes.lines
    assert faint.get_alpha() < 1 and bold.get_alpha() is None
    np.testing.assert_allclose(faint.get_ydata(), drawn[0].history)
    np.testing.assert_array_equal(bold.get_xdata(), [0, 16, 20])
    np.testing.assert_array_equal(bold.get_ydata(), [1, 3, np.nan])
    np.testing.assert_allclose(old.get_ydata(), drawn[1].history)
    assert "bold: the picture itself; faint: its transformed views" in axes.get_xlabel()
    (axes,) = score_curves([make(unit, clean_history=looks) for unit in range(11)]).axes
    assert len(axes.lines) == 11 and axes.get_xlabel() == "step"


def test_a_clean_history_of_another_shape_is_refused() -> None:
    with pytest.raises(FeatvizError, match=r"`clean_history` has shape \(3,\); expected \(looks, 2\)"):
        make(clean_history=np.zeros(3))
