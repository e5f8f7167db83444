"""`--edit`: the text of an edit, what pictures record of it, and refusals of one line."""

import json

import click
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import refused

import featviz as fv
from featviz.cli.main import COMMANDS, cli, run
from featviz.cli.options.edit_option import add_edits, parse_edit
from featviz.pictures.command import network_words

PHOTO = np.random.default_rng(0).random((16, 16, 3), np.float32)


def same(model, layer, edit, text):
    """Whether the text's edit gives what the edit gives."""
    expected = fv.observe(model.edited({layer: edit}), PHOTO, layer)
    np.testing.assert_array_equal(fv.observe(add_edits(model, [text]), PHOTO, layer), expected)


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("conv2=zero", fv.ablate(None)),
        ("conv2:3=zero", fv.ablate([3])),
        ("conv2:0,2-4=1.5", fv.clamp([0, 2, 3, 4], 1.5)),
        ("conv2:3=-2e-1", fv.clamp([3], -0.2)),
        ("conv2:3=x-2", fv.scale([3], -2.0)),
        ("conv2@1x2=zero", fv.ablate(None, positions=(1, 2))),
        ("conv2:3@1x2,0x0=zero", fv.ablate([3], positions=[(1, 2), (0, 0)])),
        ("conv2:3,5=keep", fv.keep([3, 5])),
        ("conv2@1x2=keep", fv.keep(None, positions=(1, 2))),
    ],
)
def test_a_text_is_the_edit_of_its_kind(tiny, text, edit):
    same(tiny, "conv2", edit, text)


@settings(deadline=None, max_examples=20)
@given(st.sets(st.integers(0, 7), min_size=1), st.floats(-9, 9, width=32))
def test_any_units_and_numbers_are_read(tiny, units, value):
    listed = ",".join(map(str, units))
    layer, edit = parse_edit(f"conv2:{listed}={value!r}", tiny)
    assert layer == "conv2" and sorted(edit.where.units.tolist()) == sorted(units) and float(edit.value) == value


def test_files_are_directions_and_activations(tiny, tmp_path, monkeypatch):
    units = tiny.layer("conv2").units
    direction = np.arange(units, dtype=np.float32)
    np.save(tmp_path / "v.npy", direction)
    same(tiny, "conv2", fv.add_direction(direction), f"conv2=+{tmp_path}/v.npy")
    same(tiny, "conv2", fv.add_direction(direction, strength=-2.0), f"conv2=+-2x{tmp_path}/v.npy")
    h = fv.observe(tiny, 1 - PHOTO, "conv2")
    np.save(tmp_path / "h.npy", h)
    same(tiny, "conv2", fv.patch_in(h, units=[3]), f"conv2:3={tmp_path}/h.npy")


def test_several_apply_in_their_order_also_to_latents(tiny):
    centers = np.eye(4, tiny.layer("conv1").units, dtype=np.float32)
    model = tiny.with_dictionary("conv1", fv.Dictionary(fv.dictionaries.kinds.KMeans(centers=centers)))
    edited = add_edits(model, ["conv2:3=1", "conv2:3=x2", "conv1/latents:1=zero"])
    assert (fv.observe(edited, PHOTO, "conv2")[..., 3] == 2).all()
    assert (fv.observe(edited, PHOTO, "conv1/latents")[..., 1] == 0).all()
    assert add_edits(model, []) is model


def test_a_picture_records_the_command_with_its_edit(tmp_path, capsys):
    out = tmp_path / "p.png"
    run(
        [
            "render",
            "patterns",
            "mixed4a:7",
            "--edit",
            "mixed3a:3-5=zero",
            "--size",
            "32",
            "--steps",
            "2",
            "-o",
            str(out),
        ]
    )
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["network"]["name"] == "patterns, edited"
    assert "--edit mixed3a:3-5=zero" in record["command"]
    assert network_words({"model": "patterns", "edit": "'a=+2xv.npy' b:1=x2"}) == [
        "patterns", "--edit", "a=+2xv.npy", "--edit", "b:1=x2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mixed4a", "--edit is `mixed4a`: expected LAYER:UNITS=EDIT, such as mixed4a:3=zero"),
        ("mixed4a:3=", "expected LAYER:UNITS=EDIT"),
        ("mixed4x:3=zero", "patterns has no layer `mixed4x`; did you mean"),
        ("mixed4a:99=zero", "`units` has 99; mixed4a has 80 units, 0 to 79"),
        ("mixed4a:70-99999999999999=zero", "`units` has 80; mixed4a has 80 units, 0 to 79"),
        ("mixed4a:99999999999999-99999999999999=zero", "expected a whole number"),
        ("mixed4a:5-3=zero", "the range 5-3 runs backwards; expected 3-5"),
        ("mixed4a:3@9x9=zero", "`positions` has (9, 9), which is outside mixed4a, 8 x 8"),
        ("mixed4a:3@9=zero", "`positions` has 1 numbers a position"),
        ("mixed4a:3=none", "there is no edit `none`; expected zero, keep, a number, x2, FILE.npy or +FILE.npy"),
        ("mixed4a=keep", "it keeps all of the layer"),
        ("mixed4a:3=+v.npy", "a direction is added to all units"),
        ("mixed4a=+nowhere.npy", "`nowhere.npy` does not exist; expected a .npy file"),
        ("mixed4a:3=nan", "there is no edit `nan`"),
        ("mixed4a:3=1e99", "expected finite numbers"),
    ],
)
@pytest.mark.parametrize("command", [["layers", "patterns"], ["render", "patterns", "mixed4b:1", "-o", "p.png"]])
def test_what_is_no_edit_is_refused(capsys, command, text, message):
    status, line = refused(capsys, *command, "--edit", text)
    assert status == 2 and message in line


def test_every_command_that_adds_dictionaries_to_its_network_edits_it():
    for names in COMMANDS.values():
        for name in names:
            command = cli.get_command(click.Context(cli), name)
            options = {parameter.name for parameter in command.params}
            assert ("dictionaries" in options) == ("edits" in options), name
