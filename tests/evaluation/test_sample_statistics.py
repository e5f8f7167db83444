"""Bootstrap intervals of means over units."""

import numpy as np

from featviz.evaluation.sample_statistics import bootstrap_interval

RNG = np.random.default_rng(0)
NAN = float("nan")


def test_the_interval_of_a_mean():
    values = RNG.normal(5, 2, 400)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    assert np.allclose([low, high], values.mean() + np.array([-1.96, 1.96]) * values.std() / 20, atol=0.04)
    assert bootstrap_interval(np.append(values, [NAN, np.inf])) == (low, high)
    assert np.isnan(bootstrap_interval(np.array([NAN, NAN]))).all() and np.isnan(bootstrap_interval(np.zeros(0))).all()
    assert bootstrap_interval(np.array([3.0])) == (3.0, 3.0)
