"""Disks for tests of what happens when one is full."""

import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(place, *, size="160k"):
    """A disk that is soon full, where this process may mount one."""
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True
    ).returncode:
        pytest.skip("this process may not mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
