"""The design's rules about the code itself: who imports whom, what is light, how functions are called."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import featviz

ROOT = Path(featviz.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# What each room may import of featviz, besides itself.
BASE = {"errors", "canonical"}
NETWORK = BASE | {"model", "trace", "relu", "pointwise"}
ASCENT = NETWORK | {"objectives", "images", "gradients", "regularizers", "optimizers"}
PICTURE = BASE | {"model", "files", "picture_files", "picture"}
RENDERING = ASCENT | PICTURE | {"ascent", "recipes", "shapes", "version"}
ALLOWED = {
    "__init__": {"version"},  # the face imports everything else when it is used
    "errors": set(),
    "version": set(),
    "canonical": {"errors"},
    "input_spec": {"errors"},
    "model": BASE | {"input_spec"},
    "shapes": {"model"},
    "trace": set(),
    "relu": {"trace"},
    "pointwise": {"trace"},
    "files": {"errors"},
    "picture_files": {"errors", "files"},
    "picture": BASE | {"model", "files", "picture_files"},
    "captions": PICTURE,
    "sheets": PICTURE | {"captions"},
    "photographs": {"errors"},
    "curves": PICTURE | {"captions", "sheets"},
    "objectives": NETWORK,
    "images": NETWORK,
    "gradients": NETWORK,
    "optimizers": set(),
    "regularizers": NETWORK | {"objectives", "optimizers", "images"},
    "ascent": ASCENT,
    "recipes": {"ascent", "model", "shapes", "optimizers", "objectives", "images", "regularizers"} | BASE,
    "rendering": RENDERING | {"lanes", "staging", "batching", "checks", "provenance", "options", "signatures"},
    "signatures": set(),
    "options": RENDERING | {"checks"},
    "compilation": set(),
    "batching": RENDERING | {"compilation"},
    "lanes": RENDERING | {"compilation"},
    "staging": RENDERING | {"lanes"},
    "checks": RENDERING,
    "provenance": RENDERING,
    "adapters": {"model", "trace", "relu", "pointwise", "errors", "ranges"},
    "models": {"adapters", "model", "errors", "files", "cache", "ranges"},
    "natural": RENDERING | {"compilation", "checks", "captions", "photographs"},
    "atlas": RENDERING
    | {"rendering", "provenance", "checks", "batching", "natural", "captions", "compilation", "compilation_cache"},
    "diagnosis": {"errors", "model", "trace", "natural", "compilation", "ranges"},
    "cache": set(),
    "ranges": set(),
    "compilation_cache": set(),
    "observation": RENDERING | {"checks"},
    "dreaming": RENDERING
    | {"signatures", "staging", "checks", "compilation", "rendering", "provenance", "photographs"},
    "training": RENDERING
    | {"options", "signatures", "checks", "provenance", "rendering", "sheets", "dreaming", "adapters"},
    "cli": None,  # anything
    "__main__": {"cli"},
}
# Whose defaulted arguments may be given by position: an entry point, and a function that calls itself.
POSITIONAL = {"cli/main.py:run", "picture_files.py:plain_json"}


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


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


FUNCTIONS = [
    pytest.param(function, id=f"{path.relative_to(ROOT)}:{name}")
    for path in FILES
    for name, function in public_functions(path)
]


def test_every_room_is_in_the_table():
    assert {room(path) for path in FILES} <= set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_those_below_it(path):
    allowed = ALLOWED[room(path)]
    rooms = {name.split(".")[1] for name in imports(parse(path)) if name.startswith("featviz.")}
    assert allowed is None or rooms <= allowed | {room(path)}
    assert room(path) in ("cli", "__main__") or "cli" not in rooms


def test_the_table_has_no_circles():
    done = {"cli"}
    while ready := {name for name, below in ALLOWED.items() if name not in done and below <= done}:
        done |= ready
    assert done == set(ALLOWED)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_300_lines(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_slow_to_import_is_imported_when_used(path):
    at_import = {name.split(".")[0] for name in imports(parse(path), inside_functions=False)}
    assert not at_import & {"matplotlib", "PIL", "torch", "keras", "onnx", "IPython"}


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


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_key_comes_first(function):
    names = positional(function)
    keyword_only = [argument.arg for argument in function.args.kwonlyargs]
    assert "key" not in keyword_only
    assert "key" not in names[1:]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arguments_with_defaults_are_given_by_keyword(function, request):
    name = request.node.callspec.id
    assert not function.args.defaults or name in POSITIONAL
