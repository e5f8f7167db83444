"""Which positions are drawn, and which have high norms."""

import numpy as np

from featviz.dictionaries.fitting.position_sampling import Norms, Sampling


def test_positions_are_drawn_without_replacement_and_by_photo():
    sampling = Sampling(per_photo=20, seed=4)
    candidates = sampling.candidates((14, 14, 512), (224, 224))
    first, again, other = (sampling.draw(photo, candidates) for photo in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert len(set(first.tolist())) == 20 and set(first.tolist()) <= set(range(196))
    assert np.array_equal(Sampling(per_photo=500).draw(3, candidates), candidates)


def test_tokens_without_a_place_are_left_out():
    assert Sampling().candidates((201, 384), (224, 224)).tolist() == list(range(5, 201))
    assert Sampling(class_tokens=True).candidates((201, 384), (224, 224)).tolist() == list(range(201))
    assert Sampling().candidates((512,), (224, 224)).tolist() == [0]


def test_high_norms_are_counted_with_their_energy():
    values = np.array([[3.0, 4.0], [0.6, 0.8], [1.0, 0.0], [0.0, 1.0]], np.float32)
    norms, high = Norms().measured(values[1:]).after(values)
    assert high.tolist() == [True, False, False, False]
    assert (norms.seen, norms.high) == (4, 1)
    np.testing.assert_allclose([norms.squares, norms.high_squares], [28.0, 25.0], rtol=1e-6)
