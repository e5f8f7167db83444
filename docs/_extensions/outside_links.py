"""Links out of the pages' folder: to another page of the site where there is one, else to a file beside the page."""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
# Files of the repository that are pages of the site.
PAGES = {
    "../README.md": "index.md",
    "../CONTRIBUTING.md": "project/contributing.md",
    "../CHANGELOG.md": "project/changelog.md",
    "../benchmarks/README.md": "project/benchmarks.md",
}
LINK = re.compile(r"\]\((\.\./[^)#\s]+)(#[\w-]*)?\)")


def redirect(app: Sphinx, name: str, source: list[str]) -> None:
    """Rewrites a page's links as it is read."""

    def replaced(match: re.Match[str]) -> str:
        target = match[1]
        if target in PAGES:
            return f"]({PAGES[target]}{match[2] or ''})"
        # A file is offered as it is; a folder has no address in the site.
        return match[0] if (Path(app.srcdir) / target).is_file() else "]"

    source[0] = re.sub(r"\[([^\]]*)\]\((\.\./[^)#\s]+)\)", _folder_as_text(app), LINK.sub(replaced, source[0]))


def _folder_as_text(app: Sphinx):
    def replaced(match: re.Match[str]) -> str:
        return match[1] if not (Path(app.srcdir) / match[2]).is_file() else match[0]

    return replaced


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", redirect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
