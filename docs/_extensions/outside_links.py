"""Links out of the pages' folder: to another page of the site where there is one, else to a file, else plain text."""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
# Files of the repository that are pages of the site.
PAGES = {
    ROOT / "README.md": "/index.md",
    ROOT / "CONTRIBUTING.md": "/project/contributing.md",
    ROOT / "CHANGELOG.md": "/project/changelog.md",
    ROOT / "benchmarks" / "README.md": "/project/benchmarks.md",
}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[\w-]*)?\)")


def redirect(folder: Path, text: str) -> str:
    """A text whose links are relative to `folder`, as its page in the site has them."""

    def replaced(match: re.Match[str]) -> str:
        words, target, place = match[1], match[2], match[3] or ""
        path = (folder / target).resolve()
        # A page that is called by its file's name is called by its title in the site.
        named = "" if words.endswith(".md") and path.suffix == ".md" else words
        if path in PAGES:
            return f"[{named}]({PAGES[path]}{place})"
        if path.parent == ROOT / "docs":
            return f"[{named}]({target}{place})"
        return match[0] if path.is_file() or not target.startswith("../") else words

    return LINK.sub(replaced, text)


def redirect_page(app: Sphinx, name: str, source: list[str]) -> None:
    """Rewrites a page's links as it is read."""
    source[0] = redirect((Path(app.srcdir) / name).parent, source[0])


def redirect_included(app: Sphinx, path: Path, name: str, source: list[str]) -> None:
    """Rewrites the links of a file that a page includes."""
    source[0] = redirect((Path(app.srcdir) / path).resolve().parent, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """As pages and what they include are read."""
    app.connect("source-read", redirect_page)
    app.connect("include-read", redirect_included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
