"""`featviz demo`: an atlas of the built-in network, opened in a browser where there is one."""

import webbrowser
from functools import partial

import pytest

import featviz as fv
from featviz.atlas import build
from featviz.cli.commands import demo as command
from featviz.cli.main import run


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """Two units in two steps instead of all; the addresses that were opened."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("SIZE", 16), ("STEPS", 2), ("FULL", [])):
        monkeypatch.setattr(command, name, value)
    monkeypatch.setattr(build, "build_atlas", partial(build.build_atlas, layers=["conv1"], units=[0, 1]))
    addresses: list[str] = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


def test_the_demo_is_drawn_and_its_first_page_opened(opened, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "has_browser", lambda: True)
    run(["demo"])
    said = capsys.readouterr().out
    front = (tmp_path / "featviz-demo" / "site" / "index.html").as_uri()
    assert "featviz-demo  2 of 2 entries" in said and front in said and opened == [front]
    assert fv.open_atlas("featviz-demo").layers == ("conv1",)
    run(["demo", "--no-open", "--quiet"])
    assert capsys.readouterr().out == "" and len(opened) == 1


@pytest.mark.parametrize(
    ("platform", "display", "found"),
    [("linux", None, False), ("linux", ":0", True), ("darwin", None, True), ("win32", None, True)],
)
def test_a_browser_is_sought_only_where_there_is_a_display(monkeypatch, platform, display, found):
    monkeypatch.setattr(command.sys, "platform", platform)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    assert command.has_browser() is found


def test_a_folder_of_something_else_is_refused(opened, capsys, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SystemExit) as ended:
        run(["demo", "-o", "taken", "--no-open"])
    said = capsys.readouterr().err
    assert ended.value.code in (1, 2) and said.startswith("featviz: ") and len(said.splitlines()) == 1
