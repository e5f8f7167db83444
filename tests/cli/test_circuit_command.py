"""`featviz circuit`: the page, its record, and refusals of one line."""

import json

import numpy as np
from support.commands import refused

from featviz.circuit_graphs.circuit_parts import Circuit, CircuitEdge, CircuitUnit
from featviz.cli.commands.circuit import describe_circuit
from featviz.cli.main import run

QUICK = ("--layers", "mixed3a,mixed3b", "--depth", "1", "--families", "0", "--inputs", "3", "--no-pictures")


def test_the_page_is_written_and_its_address_is_printed(tmp_path, capsys):
    run(["circuit", "patterns", "mixed3b:5", "-o", str(tmp_path), *QUICK])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mixed3b:5: 3 links to 3 units" and lines[-1] == (tmp_path / "index.html").resolve().as_uri()
    assert len(json.loads((tmp_path / "circuit.json").read_text())["edges"]) == 3


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("")
    code, text = refused(capsys, "circuit", "patterns", "mixed3b:5", "-o", tmp_path, *QUICK)
    assert code == 2 and "holds other files; expected a new folder for the circuit" in text
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    code, text = refused(capsys, "circuit", "patterns", "mixed3b:5", "-o", tmp_path / "thesis.txt", *QUICK)
    assert code == 2 and "is a file; expected a new folder" in text
    # That of a circuit may hold another.
    run(["circuit", "patterns", "mixed3b:5", "-o", str(tmp_path / "c"), *QUICK])
    (tmp_path / "c" / "note.txt").write_text("")
    run(["circuit", "patterns", "mixed3b:6", "-o", str(tmp_path / "c"), *QUICK])
    assert json.loads((tmp_path / "c" / "circuit.json").read_text())["unit"]["unit"] == 6


def test_one_link_to_one_unit(capsys, tmp_path):
    root, source = CircuitUnit("b", 1), CircuitUnit("a", 0)
    edge = CircuitEdge(source, root, -1.0, np.array([[-1.0]], np.float16))
    made = Circuit("network", root, ((root,), (source,)), (edge,), (), 0)
    assert describe_circuit(made) == "b:1: 1 link to 1 unit\n  a:0  -1.00"


def test_wrong_words_are_refused(tmp_path, capsys):
    for target, said in (("mixed3b", "expected one unit of a layer"), ("mixed3b:99", "has 48 units")):
        code, text = refused(capsys, "circuit", "patterns", target, "-o", tmp_path, *QUICK)
        assert code == 2 and said in text
    code, text = refused(capsys, "circuit", "patterns", "mixed3b:1", "-o", tmp_path, "--photos", tmp_path / "none")
    assert code == 2 and "does not exist" in text
