"""Documents name what exists: files, folders, modules, links."""

import re
from pathlib import Path

import pytest
from test_architecture import ROOMS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
FOLDERS = ("featviz", "tests", "docs", "experiments", "benchmarks", *ROOMS)
# A path in backticks: in the repository or in the package, without placeholders such as NAME. One that introduces the
# code below it, with a colon, is a file that the reader is to write; pages are what an atlas writes.
CODE_PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*(?<!\.html))`(?!:\n)")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[\w-]*)?\)")


def named_paths(text):
    return [path for path in CODE_PATH.findall(text) if not re.search(r"[A-Z]{2}", path)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_in_documents_exist(document):
    missing = [
        path
        for path in named_paths(document.read_text())
        if not any((base / (path + end)).exists() for base in (ROOT, ROOT / "featviz") for end in ("", ".py"))
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_in_documents_lead_somewhere(document):
    broken = [link for link in LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert broken == []


def test_the_pattern_finds_paths():
    found = named_paths(
        "`ascent/step.py`, `docs/atlas.md`, `regularizers/transforms/NAME.py`, `out/`, `tests/support/`"
    )
    assert found == ["ascent/step.py", "docs/atlas.md", "tests/support/"]
