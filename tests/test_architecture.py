"""The design's rules about the code itself: who imports whom, what is light, how functions are called."""

import ast
import functools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import featviz

ROOT = Path(featviz.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

DOCUMENT = (ROOT.parent / "docs" / "architecture.md").read_text()
# The rooms in the order of the document's table: each may import those above it.
ROOMS = re.findall(r"^\| `(\w+)` \|", DOCUMENT.partition("## The rooms")[2].partition("\n## ")[0], re.MULTILINE)
# Whose defaulted arguments may be given by position: an entry point, and a function that calls itself.
POSITIONAL = {"cli/main.py:run", "pictures/picture_files.py:plain_json"}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@functools.cache
def parse(path):
    return ast.parse(path.read_text(), str(path))


def is_type_checking(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(node, *, inside_functions=True):
    """The dotted names that a file imports, those for type checkers apart."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            whole = child.module == "featviz"
            yield from (f"featviz.{alias.name}" for alias in child.names) if whole else [child.module]
        elif not is_type_checking(child) and (
            inside_functions or not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
        ):
            yield from imports(child, inside_functions=inside_functions)


def public_functions(path):
    """The public functions and methods of a file, with their names as `Class.method`."""
    for node in parse(path).body:
        members = [(node, "")] if isinstance(node, ast.FunctionDef) else []
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            members = [(member, f"{node.name}.") for member in node.body if isinstance(member, ast.FunctionDef)]
        yield from ((prefix + f.name, f) for f, prefix in members if not f.name.startswith("_"))


def positional(function):
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


# By file and name.
FUNCTIONS = {
    f"{path.relative_to(ROOT)}:{name}": function for path in FILES for name, function in public_functions(path)
}


def test_every_room_is_in_the_table_of_the_document():
    assert sorted({room(path) for path in FILES}) == sorted([*ROOMS, "__init__", "__main__"])


def test_a_room_imports_only_those_above_it():
    for path in FILES:
        own = room(path)
        before = {"__init__": ["version"], "__main__": ["cli"]}.get(own) or ROOMS[: ROOMS.index(own) + 1]
        rooms = {name.split(".")[1] for name in imports(parse(path)) if name.startswith("featviz.")}
        assert rooms <= set(before), path


def test_no_two_files_share_a_name():
    # A room's `base` has what its pieces build on; a command's file is named as the command.
    named = [path for path in FILES if path.parent.name != "commands" and path.stem not in ("__init__", "base")]
    counts = Counter(path.stem for path in named)
    assert [stem for stem, count in counts.items() if count > 1] == []


def test_tests_mirror_the_tree():
    tests = Path(__file__).parent
    rooms = {path.parent.relative_to(ROOT) for path in FILES}
    shared = ("support", "experiments", "benchmarks")
    for path in tests.rglob("test_*.py"):
        folder = path.parent.relative_to(tests)
        if folder == Path(".") or folder.parts[0] in shared:
            continue
        assert folder in rooms, f"{path.relative_to(tests)} lies in no room"
        # A module, a folder of modules, or the room itself.
        modules = [file.stem for file in (ROOT / folder).rglob("*")] + [folder.name]
        named = path.stem.removeprefix("test_")
        assert any(named == module or named.startswith(f"{module}_") for module in modules), path.relative_to(tests)


def test_a_file_has_at_most_300_lines():
    assert [path for path in FILES if len(path.read_text().splitlines()) > 300] == []


def test_what_is_slow_to_import_is_imported_when_used():
    for path in FILES:
        at_import = {name.split(".")[0] for name in imports(parse(path), inside_functions=False)}
        assert not at_import & {"matplotlib", "PIL", "jinja2", "torch", "keras", "onnx", "IPython"}, path


def test_importing_the_package_imports_no_framework():
    code = "import sys, featviz; print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(result.stdout.split())
    assert "featviz" in loaded
    assert not loaded & {"jax", "jaxlib", "flax", "optax", "numpy", "matplotlib", "PIL"}


def test_the_face_is_all_there():
    assert {name for name in featviz.__all__ if not hasattr(featviz, name)} == set()
    assert set(featviz.__all__) <= set(dir(featviz))


def test_no_module_shares_its_name_with_a_function_of_the_face():
    functions = {name for name in featviz.__all__ if not isinstance(getattr(featviz, name), type(ast))}
    assert "render" in functions
    # A submodule, once imported, would take the function's place as an attribute of the package.
    assert not functions & {room(path) for path in FILES}


def test_the_key_comes_first():
    for name, function in FUNCTIONS.items():
        keyword_only = [argument.arg for argument in function.args.kwonlyargs]
        assert "key" not in keyword_only, name
        assert "key" not in positional(function)[1:], name


def test_arguments_with_defaults_are_given_by_keyword():
    assert {name for name, function in FUNCTIONS.items() if function.args.defaults} <= POSITIONAL
