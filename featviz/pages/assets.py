"""The site's own styles and scripts, plain files that lie beside this one."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"


def assets() -> dict[str, bytes]:
    """Each file by its name."""
    return {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in (".css", ".js")}
