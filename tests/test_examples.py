"""Examples in documents: Python that parses and names what exists, commands with options that exist."""

import ast
import importlib.util
import inspect
import re
import shlex
from pathlib import Path

import click
import pytest

import featviz as fv
from featviz.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
DOCUMENTS = [path for path in DOCUMENTS if not {"_build", "api"} & set(path.relative_to(ROOT).parts)]
PYTHON = re.compile(r"^```(?:python|\{code-cell\} ipython3)\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELL = re.compile(r"^```(?:console|bash|sh|)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(featviz [a-z][^`]*)`")
# Placeholders of texts: what a reader fills in.
PLACEHOLDER = re.compile(r"\[|\.\.\.|…")


def python_of(text):
    return [ast.parse(code) for code in PYTHON.findall(text)]


def commands_of(text):
    blocks = "\n".join(SHELL.findall(text)).replace("\\\n", " ").splitlines()
    lines = [line.partition("#")[0].strip() for line in blocks if line.startswith("featviz ")]
    return [line for line in [*lines, *INLINE.findall(text.replace("\n", " "))] if not PLACEHOLDER.search(line)]


def value_of(node):
    """What an expression such as `fv.recipes.default` means, or None for others."""
    if isinstance(node, ast.Name) and node.id == "fv":
        return fv
    if isinstance(node, ast.Attribute):
        owner = value_of(node.value)
        # Names of the package itself and of its modules; not of what calls return.
        return getattr(owner, node.attr) if inspect.ismodule(owner) else None
    return None


def faults_of_python(tree):
    faults = []
    for node in ast.walk(tree):
        try:
            value_of(node)
        except AttributeError as error:
            faults.append(str(error))
        if isinstance(node, ast.Call) and callable(called := _value_or_none(node.func)):
            known = inspect.signature(called).parameters
            free = any(each.kind is each.VAR_KEYWORD for each in known.values())
            faults += [
                f"{ast.unparse(node.func)}({word.arg}=)"
                for word in node.keywords
                if word.arg and word.arg not in known and not free
            ]
    return faults


def _value_or_none(node):
    try:
        return value_of(node)
    except AttributeError:
        return None


def fault_of_command(line):
    """What is wrong with a command's line, or None: an unknown command or option."""
    words = shlex.split(line)[1:]
    group, context = cli, click.Context(cli)
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        found = group.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]}"
        group, context = found, click.Context(found, parent=context)
        words = words[1:]
    known = {name for option in group.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    unknown = [word for word in words if re.match(r"--[a-z]", word) and word.partition("=")[0] not in known]
    return f"{line}: {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_names_what_exists(document):
    assert [fault for tree in python_of(document.read_text()) for fault in faults_of_python(tree)] == []


# Of a contributor's guide: it names a command that is to be written.
@pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path.name != "CONTRIBUTING.md"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_commands_have_the_options_that_are_given(document):
    assert [fault for line in commands_of(document.read_text()) if (fault := fault_of_command(line))] == []


def test_faults_are_found():
    tree = ast.parse("fv.rendr(1)\nfv.render(model, [], shade=1)\nfv.recipes.nothing")
    assert len(faults_of_python(tree)) >= 3
    assert (
        fault_of_command("featviz render patterns a:1 --shade red")
        == "featviz render patterns a:1 --shade red: --shade"
    )
    assert fault_of_command("featviz rendr x") == "no command rendr"
    assert fault_of_command("featviz dictionary fit patterns mixed4a photos/ -o sae.safetensors") is None
    assert commands_of("`featviz render\nx y`") == ["featviz render x y"]


def test_the_readmes_five_lines_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = PYTHON.findall((ROOT / "README.md").read_text())[0]
    # Fewer steps: what is tested is that the lines are right.
    code = code.replace('fv.channel("mixed4a", 7))', 'fv.channel("mixed4a", 7), steps=16)').replace(
        "range(16)))", "range(2)), steps=16)"
    )
    exec(compile(code, "README.md", "exec"), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mixed4a-7.json", "mixed4a-7.png", "sheet.png"]


def test_every_page_is_in_the_sites_tables_of_contents():
    index = (ROOT / "docs" / "index.md").read_text()
    listed = {line for block in re.findall(r"```\{toctree\}(.*?)```", index, re.DOTALL) for line in block.split()}
    pages = {
        str(path.relative_to(ROOT / "docs").with_suffix(""))
        for path in DOCUMENTS
        if (ROOT / "docs") in path.parents and path.name != "index.md"
    }
    assert pages - listed == set()


def test_the_helper_of_the_notebooks_draws_every_class():
    spec = importlib.util.spec_from_file_location("shapes", ROOT / "docs" / "notebooks" / "shapes.py")
    shapes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shapes)
    images, labels = shapes.draw(200, size=24)
    assert images.shape == (200, 24, 24, 3) and images.min() >= 0 and images.max() <= 1
    assert set(labels.tolist()) == set(range(len(shapes.CLASSES)))
    again, _ = shapes.draw(200, size=24)
    assert (images == again).all()
