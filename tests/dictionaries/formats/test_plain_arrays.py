"""Archives of arrays, and scikit-learn's fitted models exported in one line, against numpy."""

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.dictionaries import UNITS, draw_autoencoder, largest, pre, relu

from featviz.dictionaries import load_dictionary
from featviz.errors import FeatvizError

ARRAYS = draw_autoencoder(np.random.default_rng(0))
PLAIN = {"W_enc": ARRAYS["encoder"], "b_enc": ARRAYS["encoder_bias"], "W_dec": ARRAYS["decoder"]}
WITH_BIAS = {**PLAIN, "b_dec": ARRAYS["decoder_bias"]}
RNG = np.random.default_rng(2)
X = RNG.normal(size=(5, UNITS)).astype(np.float32)


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_autoencoders(tmp_path):
    a = ARRAYS
    path = archive(tmp_path / "relu.npz", **WITH_BIAS)
    np.testing.assert_allclose(load_dictionary(path).encode(X), relu(pre(a, X)), atol=1e-5)
    np.testing.assert_allclose(
        load_dictionary(path, kind="topk", k=2).encode(X), largest(relu(pre(a, X)), 2), atol=1e-5
    )
    uncentered = load_dictionary(path, centered=False)
    np.testing.assert_allclose(uncentered.encode(X), relu(pre(a, X, centered=False)), atol=1e-5)
    # As Gemma Scope's params.npz.
    gemma = load_dictionary(archive(tmp_path / "params.npz", **WITH_BIAS, threshold=np.full(9, 0.5, np.float32)))
    before = pre(a, X, centered=False)
    np.testing.assert_allclose(gemma.encode(X), relu(before) * (before > 0.5), atol=1e-5)
    batch = load_dictionary(archive(tmp_path / "batch.npz", **WITH_BIAS, threshold=0.5, k=3))
    np.testing.assert_allclose(batch.encode(X), relu(pre(a, X)) * (pre(a, X) > 0.5), atol=1e-5)
    save_file(PLAIN, tmp_path / "plain.safetensors")
    without = load_dictionary(tmp_path / "plain.safetensors")
    np.testing.assert_allclose(without.encode(X), relu(X @ a["encoder"] + a["encoder_bias"]), atol=1e-5)


def test_models_of_scikit_learn(tmp_path):
    mean, basis = X.mean(0), np.linalg.qr(RNG.normal(size=(UNITS, UNITS)))[0][:3]
    variance = np.array([4.0, 2.0, 1.0])
    pca = load_dictionary(archive(tmp_path / "pca.npz", kind="PCA", components_=basis, mean_=mean))
    np.testing.assert_allclose(pca.encode(X), (X - mean) @ basis.T, atol=1e-5)
    white = archive(
        tmp_path / "w.npz", kind="PCA", components=basis, mean=mean, explained_variance=variance, whiten=True
    )
    np.testing.assert_allclose(load_dictionary(white).encode(X), (X - mean) @ basis.T / np.sqrt(variance), atol=1e-5)
    mixing = np.linalg.pinv(basis)
    path = archive(tmp_path / "ica.npz", kind="FastICA", components=basis, mean=mean, mixing=mixing)
    np.testing.assert_allclose(load_dictionary(path).reconstruct(X), (X - mean) @ basis.T @ mixing.T + mean, atol=1e-5)
    probe = archive(tmp_path / "p.npz", kind="LogisticRegression", coef=basis[:1], intercept=np.array([0.5]))
    np.testing.assert_allclose(load_dictionary(probe).encode(X)[:, 0], X @ basis[0] + 0.5, atol=1e-5)
    parts = archive(tmp_path / "nmf.npz", kind="NMF", components=np.abs(basis))
    assert load_dictionary(parts).code.name == "nmf"
    assert load_dictionary(archive(tmp_path / "k.npz", kind="KMeans", cluster_centers=basis)).code.name == "k_means"


def test_one_array_has_a_vector_in_each_row(tmp_path):
    vectors = RNG.normal(size=(4, UNITS))
    np.save(tmp_path / "v.npy", vectors)
    np.testing.assert_allclose(load_dictionary(tmp_path / "v.npy").encode(X), X @ vectors.T, atol=1e-5)
    np.save(tmp_path / "one.npy", vectors[0])
    assert load_dictionary(tmp_path / "one.npy").latents == 1


def test_what_cannot_be_used_is_refused_in_one_line(tmp_path):
    def refusal(name, **arrays):
        with pytest.raises(FeatvizError) as caught:
            load_dictionary(archive(tmp_path / name, **arrays))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "its kind is `PCB`; did you mean `PCA`?" in refusal("a.npz", kind="PCB", components=X)
    assert "it lacks `mean`" in refusal("b.npz", kind="PCA", components=X)
    assert "it holds `A`, `B`; expected a dictionary of featviz" in refusal("c.npz", A=X, B=X)
    assert "expected (latents, units)" in refusal("d.npz", kind="LogisticRegression", coef=np.zeros((2, 3, 4)))
    assert "`vectors` of the dictionary has values that are not finite" in refusal(
        "e.npz", vectors=np.full((2, 3), np.nan)
    )
    assert "its `W_enc` is of complex64; expected real numbers" in refusal("g.npz", **{**PLAIN, "W_enc": 1j * X})
    huge = {**PLAIN, "W_enc": PLAIN["W_enc"].astype(np.float64) * 1e300}
    assert "`encoder` of the dictionary has values that are not finite" in refusal("h.npz", **huge)
    assert "it lacks `W_dec`" in refusal("i.npz", W_enc=X)
    empty = {"W_enc": np.zeros((6, 0)), "W_dec": np.zeros((0, 6))}
    assert "it has 6 units and 0 latents; expected one or more of each" in refusal("j.npz", **empty)
    assert "its k is `nan`; expected a whole number from 1" in refusal("k.npz", **PLAIN, k=np.nan)
    assert "its k is 10; expected a whole number from 1 to 9" in refusal("l.npz", **PLAIN, k=10)
    limits = np.ones(4, np.float32)
    assert "`threshold` of the dictionary has shape (4,)" in refusal("m.npz", **PLAIN, threshold=limits)
    save_file({"centers": X, "centers_": X}, tmp_path / "twice.safetensors", metadata={"kind": "KMeans"})
    with pytest.raises(FeatvizError, match="it holds `centers_` and `centers`; expected one of them"):
        load_dictionary(tmp_path / "twice.safetensors")
    for kind, name in (("KMeans", "cluster_centers"), ("NMF", "components"), ("PCA", "components")):
        said = refusal("n.npz", kind=kind, **{name: X[0], "mean": X[0]})
        assert f"its `{name}` has shape (6,); expected (latents, units), one or more of each" in said
    assert "its `vectors` has shape (0, 6)" in refusal("o.npz", vectors=X[:0])
    assert "it lacks `vectors`" in refusal("q.npz", kind="concepts", bias=X[0])
    dates = np.zeros((2, 3), "datetime64[s]")
    assert "its `vectors` is of datetime64[s]; expected real numbers" in refusal("p.npz", vectors=dates)
    objects = np.array([{}], object)
    assert "cannot be read as a dictionary" in refusal("f.npz", vectors=objects)
    with pytest.raises(FeatvizError, match="`kind` is `topq`; did you mean `topk`?"):
        load_dictionary(tmp_path / "a.npz", kind="topq")
    with pytest.raises(FeatvizError, match="`k` is 0; expected 1 or more"):
        load_dictionary(tmp_path / "a.npz", k=0)


def test_a_given_kind_and_what_the_file_says_of_the_bias_are_taken(tmp_path):
    a, limits = ARRAYS, np.linspace(0.1, 0.9, 9).astype(np.float32)
    path = archive(tmp_path / "both.npz", **WITH_BIAS, threshold=limits, k=3)
    with pytest.raises(FeatvizError, match="with 9 thresholds; expected one, or `kind` jump_relu"):
        load_dictionary(path)
    assert load_dictionary(path, kind="jump_relu").code.threshold.tolist() == limits.tolist()
    assert load_dictionary(path, kind="topk").code.name == "topk"
    assert load_dictionary(path, kind="relu").code.name == "relu"
    path = archive(tmp_path / "uncentered.npz", **WITH_BIAS, centered=False)
    np.testing.assert_allclose(load_dictionary(path).encode(X), relu(pre(a, X, centered=False)), atol=1e-5)
    np.testing.assert_allclose(load_dictionary(path, centered=True).encode(X), relu(pre(a, X)), atol=1e-5)


def test_arrays_of_other_shapes_are_refused_in_one_line(tmp_path):
    np.save(tmp_path / "texts.npy", np.array(["a", "b"]))
    paths = (
        archive(tmp_path / "a.npz", kind="PCA", components=np.ones(5), mean=np.ones(5)),
        archive(tmp_path / "b.npz", **PLAIN, k=np.zeros(0)),
        archive(tmp_path / "c.npz", **PLAIN, threshold=np.zeros(0), k=2),
        tmp_path / "texts.npy",
    )
    for path in paths:
        with pytest.raises(FeatvizError, match=f"`{path.name}` (cannot be used as|says nothing usable of)") as caught:
            load_dictionary(path)
        assert "\n" not in str(caught.value)
