"""Ctrl-C, also where a library has made another error of it: stopped, status 130, in one line."""

import asyncio
import errno
import itertools
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import Mock

import click
import jax
import pytest
from support.commands import refused

from featviz.cli import exit_status, main
from featviz.cli.exit_status import SYSTEM_ERRORS
from featviz.common.files import write_atomic
from featviz.errors import ArgumentError, FeatvizError
from featviz.rendering import draw as rendering

FAST = ["--size", "32", "--steps", "3", "--quiet"]


class Interrupted:
    """Metadata during whose comparison Ctrl-C is pressed."""

    def __eq__(self, other):
        raise KeyboardInterrupt

    def __hash__(self):
        return 0


@partial(jax.tree_util.register_dataclass, data_fields=["leaf"], meta_fields=["mark"])
@dataclass(frozen=True)
class Marked:
    leaf: Any
    mark: Any


def compare():
    return jax.tree.structure(Marked(1.0, Interrupted())) == jax.tree.structure(Marked(1.0, Interrupted()))


def test_jax_makes_a_fault_of_a_ctrl_c_that_comes_while_it_compares():
    with pytest.raises(ValueError, match="checking equality of metadata") as error:
        compare()
    assert isinstance(error.value.__cause__, KeyboardInterrupt)


@pytest.mark.parametrize("drawn", [0, 1])
def test_it_is_a_ctrl_c_while_pictures_are_drawn(tmp_path, monkeypatch, capsys, drawn):
    real = rendering.render_groups

    def interrupted(*args, **options):
        yield from itertools.islice(real(*args, **options), drawn)
        compare()

    monkeypatch.setattr(rendering, "render_groups", interrupted)
    code, line = refused(capsys, "render", "patterns", "conv1:0-1", "-o", tmp_path / "out", *FAST)
    assert code == 130 and f"stopped; {drawn} of 2 pictures are finished and in {tmp_path / 'out'}" in line
    assert len(list(tmp_path.glob("out/conv1-*.png"))) == drawn


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_it_is_a_ctrl_c_wherever_it_comes(tmp_path, monkeypatch, capsys, debug):
    def interrupted(*args, **options):
        compare()

    monkeypatch.setattr(rendering, "render_groups", interrupted)
    code, line = refused(capsys, "render", "patterns", "conv1:0", "-o", tmp_path / "out.png", *FAST, *debug)
    assert (code, line) == (130, "featviz: stopped\n")


def test_a_fault_without_one_stays_a_fault(tmp_path, monkeypatch, capsys):
    def broken(*args, **options):
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error

    monkeypatch.setattr(rendering, "render_groups", broken)
    code, line = refused(capsys, "render", "patterns", "conv1:0", "-o", tmp_path / "out.png", *FAST)
    assert code == 1 and line.startswith("featviz: RuntimeError: outer (a bug in featviz")


def test_a_name_that_is_no_utf_8_is_printed_with_escapes(capsys):
    # As Python gives a word of the command line with the byte 0xff.
    code, line = refused(capsys, "layers", "net\udcff.pt")
    assert code == 2 and line.startswith("featviz: MODEL is `net\\udcff.pt`, a file of weights")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(
    ("words", "errors"),
    [
        (["layers", "patterns"], "seen"),
        (["models"], "full"),
        (["--help"], "full"),
        (["--version"], "seen"),
        (["layers", "--help"], "seen"),
    ],
)
def test_a_full_disk_under_standard_output_is_one_line(words, errors):
    command = [sys.executable, "-m", "featviz", *words]
    with open("/dev/full", "w") as full:
        stderr = full if errors == "full" else subprocess.PIPE
        ended = subprocess.run(command, stdout=full, stderr=stderr, text=True)
    assert ended.returncode == 1
    if errors == "seen":
        assert ended.stderr == "featviz: No space left on device\n"


def test_a_reader_that_stops_is_no_error():
    writing = subprocess.Popen(
        [sys.executable, "-m", "featviz", "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    writing.stdout.close()
    assert writing.stderr.read() == ""
    assert writing.wait() == 1
    writing.stderr.close()


@pytest.mark.parametrize("code", sorted(SYSTEM_ERRORS - {errno.EPIPE}))
def test_what_the_system_lacks_is_no_bug(monkeypatch, tmp_path, capsys, code):
    def broken(*args, **options):
        raise OSError(code, "reason", "out.png")

    monkeypatch.setattr(rendering, "render_groups", broken)
    monkeypatch.setattr(exit_status.sys, "stdout", None)
    status, line = refused(capsys, "render", "patterns", "conv1:0", "-o", tmp_path / "out.png", *FAST)
    assert (status, line) == (1, f"featviz: {os.strerror(code)}: `out.png`\n")


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, FeatvizError), (errno.EACCES, click.UsageError)])
def test_a_full_disk_is_no_wrong_command(monkeypatch, tmp_path, code, kind):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(kind, match="cannot write"), exit_status.usage_errors():
        write_atomic(tmp_path / "out.png", b"")


def test_errors_that_nobody_asked_for_print_no_traceback(monkeypatch, capsys, caplog):
    logger = logging.getLogger("asyncio")
    monkeypatch.setattr(logger, "level", logger.level)

    def two_failures(*_, **options):
        loop = asyncio.new_event_loop()
        for _ in range(2):
            loop.create_future().set_exception(OSError(errno.ENOSPC, "No space left on device"))
        loop.close()
        raise FeatvizError("the disk is full")

    monkeypatch.setattr(main.cli, "main", two_failures)
    with pytest.raises(SystemExit):
        main.run(["models"])
    assert capsys.readouterr().err == "featviz: the disk is full\n" and not caplog.records


def test_a_file_or_folder_that_does_not_suit_is_a_wrong_command(capsys, monkeypatch):
    monkeypatch.setattr(main, "cli", Mock(main=Mock(side_effect=ArgumentError("`out` is of another run"))))
    assert refused(capsys, "models") == (2, "featviz: `out` is of another run\n")
