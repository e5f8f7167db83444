"""Drift and the summary of outputs, computed by hand."""

import numpy as np
import pytest

from featviz.diagnosis.measurements import class_outputs, drift


def test_drift_is_the_divergence_of_normal_distributions():
    # KL(N(1, 4) || N(0, 1)) = (4 + 1 - 1 - log 4) / 2
    means, squares = np.full((3, 2), 1.0), np.full((3, 2), 5.0)
    assert drift(means, squares, np.zeros(2), np.ones(2)) == pytest.approx((4 - np.log(4)) / 2)
    # A dead channel says nothing.
    assert drift(means, squares, np.zeros(2), np.array([1.0, 1e-9])) == pytest.approx((4 - np.log(4)) / 2)


def test_information_of_class_outputs_and_of_other_outputs():
    certain = class_outputs(50 * np.eye(4))
    assert certain.information == pytest.approx(np.log(4))
    assert certain.confidence == pytest.approx(1)
    assert certain.variation == pytest.approx(1)
    alike = class_outputs(np.tile([[3.0, 1.0, 0.0]], (5, 1)))
    assert (alike.information, alike.variation) == pytest.approx((0, 0), abs=1e-9)
    probabilities = np.float32([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    of_logits, of_probabilities = class_outputs(np.log(probabilities)), class_outputs(probabilities)
    np.testing.assert_allclose(of_probabilities.information_per_photo, of_logits.information_per_photo, rtol=1e-5)
    assert class_outputs(np.ones((4, 2))) is None
    assert class_outputs(np.full((4, 3), np.nan)) is None
    assert class_outputs(np.ones((4, 3, 3))) is None
