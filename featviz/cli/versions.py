"""`featviz --version`: what a report of a bug needs to name, none of it imported."""

import click

from featviz.version import __version__

# What pictures are made with, then the frameworks and plugins that may be installed beside it.
NEEDED = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "zarr")
OPTIONAL = (
    "torch",
    "keras",
    "tensorflow",
    "onnx",
    "equinox",
    "ray",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
    "jax-rocm7-plugin",
    "jax-metal",
)


def version_lines() -> list[str]:
    """featviz's version, then Python's, the machine's and those of the packages that matter, a line each.

    >>> version_lines()[0].startswith("featviz ")
    True
    """
    # Imported when it is asked for: every command imports this file.
    import platform

    lines = [
        f"featviz {__version__}",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
    ]
    lines += [f"{name} {_version(name) or 'is not installed'}" for name in NEEDED]
    return [*lines, *(f"{name} {found}" for name in OPTIONAL if (found := _version(name)))]


def _version(name: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def print_versions(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    """The callback of `--version`: prints the lines and ends the program."""
    if asked and not ctx.resilient_parsing:
        click.echo("\n".join(version_lines()))
        ctx.exit()
