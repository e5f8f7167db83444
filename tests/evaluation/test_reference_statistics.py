"""What the statistics of photographs store in the folder of a survey."""

import numpy as np

from featviz.evaluation.features import Features
from featviz.evaluation.reference_statistics import features_of_photos


def test_features_of_photographs_are_stored_and_a_broken_file_is_computed_again(blob_survey, patterns):
    phi, before = Features(patterns, "conv1"), set(blob_survey.store.path.glob("features-*.npy"))
    found = features_of_photos(blob_survey, phi)
    np.testing.assert_array_equal(found, phi([blob_survey.photo(n) for n in range(len(blob_survey))]))
    (path,) = set(blob_survey.store.path.glob("features-*.npy")) - before
    np.save(path, found + 1)
    np.testing.assert_array_equal(features_of_photos(blob_survey, phi), found + 1)
    for broken in (path.read_bytes()[:100], b"no array"):
        path.write_bytes(broken)
        np.testing.assert_array_equal(features_of_photos(blob_survey, phi), found)
    path.unlink()
