"""What every command keeps, whichever there are: help in full sentences, one-line errors, exit statuses."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import click
import jax
import jaxlib
import numpy
import pytest
from support.commands import refused

import featviz.cli.commands
from featviz.cli.main import COMMANDS, cli, run

NAMES = cli.list_commands(click.Context(cli))
# A sentence, and what click shows as the default where the option has none of its own.
SENTENCE = re.compile(r"[A-Z][^\n]*[.?!](  \[default: [^\]]+\])?")


# Options that say in each command what they are of.
DIFFERING = {"out", "l", "size", "steps", "quiet", "survey", "facets", "photos", "against", "of", "depth"}


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def options(name: str) -> list[click.Option]:
    return [parameter for parameter in command(name).params if isinstance(parameter, click.Option)]


def test_each_command_is_one_file_and_is_listed_once():
    folder = Path(featviz.cli.commands.__file__).parent
    files = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    assert sorted(name.replace("-", "_") for name in NAMES) == files
    assert all(command(name).name == name for name in NAMES)


def test_help_lists_the_commands_under_their_headings(capsys):
    run(["--help"])
    lines = capsys.readouterr().out.splitlines()
    headings = [f"{heading}:" for heading in COMMANDS]
    assert [line for line in lines if line in headings] == headings
    listed = [line.split()[0] for line in lines[lines.index(headings[0]) :] if re.match(r"  \w", line)]
    assert listed == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_command_has_help_in_full_sentences(name, capsys):
    run([name, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith(f"Usage: featviz {name} ")
    first_line = (command(name).help or "").split("\n\n")[0].replace("\n", " ")
    assert SENTENCE.fullmatch(first_line) and len(first_line.split()) >= 4
    for option in options(name):
        assert option.help is not None, option.name
        assert SENTENCE.fullmatch(option.help) and len(option.help.split()) >= 3, option.help
        assert not option.help.startswith(("The ", "A ", "An ", "Of ", "As ", "Where ")), option.help


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_command_is_status_2_in_one_line(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [parameter for parameter in command(name).params if isinstance(parameter, click.Argument)]
    required = [word for option in options(name) if option.required for word in (option.opts[-1], "nothing.there")]
    for words in (
        [*["nothing.there" for _ in arguments], *required, *([] if arguments else ["nothing.there"])],
        ["--no-such-option"],
    ):
        code, line = refused(capsys, name, *words)
        assert code == 2 and line.startswith("featviz: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_command_without_its_arguments_names_them(name, capsys):
    required = [parameter for parameter in command(name).params if parameter.required]
    if required:
        code, line = refused(capsys, name)
        assert code == 2 and "Missing" in line


def test_options_of_several_commands_are_the_same_in_each():
    """An option with the same words has the same values, save where commands differ in what it means."""
    seen: dict[str, click.Option] = {}
    for name in NAMES:
        for option in options(name):
            known = seen.setdefault(option.opts[-1], option)
            if option.opts[-1].lstrip("-") not in DIFFERING:
                assert option.help == known.help and option.metavar == known.metavar, (name, option.opts)


def test_the_command_line_starts_without_the_libraries_that_draw():
    code = "import sys, featviz.cli.main; featviz.cli.main.run(['--help']); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jax", "numpy", "matplotlib", "PIL", "jinja2"} & set(result.stdout.split())


def test_the_package_is_a_program_of_the_interpreter_too():
    result = subprocess.run([sys.executable, "-m", "featviz", "models"], capture_output=True, text=True, check=True)
    assert "patterns" in result.stdout and not result.stderr


def test_no_words_print_the_help(capsys):
    with pytest.raises(SystemExit) as stop:
        run([])
    assert stop.value.code == 0 and f"{next(iter(COMMANDS))}:" in capsys.readouterr().out


def test_the_versions_that_a_report_needs_are_printed(capsys):
    run(["--version"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"featviz {featviz.__version__}"
    assert lines[1].endswith(platform.python_version())
    assert {f"jax {jax.__version__}", f"jaxlib {jaxlib.__version__}", f"numpy {numpy.__version__}"} <= set(lines)


def test_versions_import_no_package_that_they_name():
    code = "import sys\nfrom featviz.cli.main import run\ntry: run(['--version'])\nexcept SystemExit: pass\n"
    code += "print(sorted({'jax', 'jaxlib', 'numpy', 'torch', 'keras'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "[]"


def test_an_unknown_command_is_answered_with_the_nearest(capsys):
    assert refused(capsys, "rendr") == (2, "featviz: there is no command `rendr`; did you mean `render`?\n")


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "broken_network.py").write_text("def make():\n    raise RuntimeError('no luck')\n")
    with pytest.raises(featviz.FeatvizError, match="no luck"):
        run(["layers", "broken_network:make", "--debug"])
