"""The page of a circuit: its graph and its lists hold the same links, and names stay text."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
from support.parsed_pages import parse_page

from featviz.attribution.explained_pictures import PictureFiles
from featviz.circuit_graphs.circuit_parts import Circuit, CircuitEdge, CircuitUnit, EdgeEffect, Verdict
from featviz.circuit_graphs.graph_layout import ROW, lay_out
from featviz.circuit_graphs.site.circuit_page import circuit_json, effect_words, render_circuit


def parsed(circuit, tmp_path):
    path = tmp_path / "index.html"
    path.write_bytes(render_circuit(circuit, PictureFiles("0"), file_exists=lambda address: False))
    return parse_page(path)


def test_every_link_is_a_line_and_an_item(found, tmp_path):
    page = parsed(found, tmp_path)
    lines = [each for _, each in page.elements if (each.get("class") or "").startswith("edge ")]
    items = [each for name, each in page.elements if name == "li" and "data-verdict" in each]
    assert len(lines) == len(items) == len(found.edges)
    nodes = [each for _, each in page.elements if each.get("class") == "node"]
    assert len(nodes) == sum(len(level) for level in found.levels)
    assert all(each["aria-label"] for each in nodes)
    record = json.loads(circuit_json(found))
    assert [each["strength"] for each in record["edges"]] == [edge.strength for edge in found.edges]
    assert record["unit"] == {"layer": "mixed3b", "unit": 5} and len(record["families"]) == len(found.families)


def test_names_stay_text(tmp_path):
    name = "</title><script>alert(1)</script>'\""
    root, source = CircuitUnit(name, 0), CircuitUnit(name + "/b", 1)
    edge = CircuitEdge(source, root, -1.0, np.array([[-1.0]], np.float16))
    page = parsed(Circuit(name, root, ((root,), (source,)), (edge,), (), 0), tmp_path)
    assert [each for kind, each in page.elements if kind == "script"] == [{"src": "assets/circuit.js", "defer": None}]


def test_units_of_a_level_stand_apart(found):
    layout = lay_out(found)
    for level in found.levels:
        rows = sorted(each.y for each in layout.units if each.unit in level)
        assert all(after - before >= ROW - 1e-6 for before, after in pairwise(rows))
        assert len({each.x for each in layout.units if each.unit in level}) == 1
    assert max(each.x for each in layout.units) == next(each.x for each in layout.units if each.unit == found.root)


def test_effects_in_words():
    effect = EdgeEffect(-0.1, -0.2, 0.05, 16, 0.5, Verdict.UNCONFIRMED)
    assert effect_words(effect) == "not confirmed: without it 10 % more (20 % more to 5.0 % less, 16 photos)"
    assert effect_words(replace(effect, verdict=Verdict.SILENT)) == "changes nothing on 16 photos"
    assert effect_words(EdgeEffect(0.1, 0.1, 0.1, 1, 1.0, Verdict.UNCONFIRMED)).endswith("1 photo)")
    assert effect_words(None) == "not tested"


def test_a_map_of_both_signs_has_no_sign():
    units = CircuitUnit("a", 0), CircuitUnit("b", 1)
    for weights, sign in (([[1.0, 0.2]], 1), ([[-1.0, 0.2]], -1), ([[1.0, -0.8]], 0)):
        assert CircuitEdge(*units, 1.0, np.array(weights, np.float16)).sign == sign
