"""Templates escape all that they insert and are part of the package; Jinja is imported only for pages; colors."""

import configparser
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path

import jinja2
import numpy as np
import pytest
from support.parsed_pages import ParsedPage
from support.sites import HOSTILE

import featviz
from featviz.pages.templating import render_page, static_files, template_environment

ROOT = Path(featviz.__file__).parent
SITE = "featviz.atlas.site"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stays_text_in_elements_and_attributes(name):
    template = template_environment(SITE).from_string('<p title="{{ name }}">{{ name }}</p>')
    page = ParsedPage(template.render(name=name))
    assert page.elements == [("p", {"title": name})] and "".join(page.texts) == name


@pytest.mark.parametrize("name", [*HOSTILE, "a/b.c/latents", "/", ".", ""])
def test_a_name_that_may_break_stays_text(name):
    page = ParsedPage(template_environment(SITE).from_string("<h1>{{ name|name }}</h1>").render(name=name))
    assert "".join(page.texts) == name and {element for element, _ in page.elements} <= {"h1", "wbr"}


def test_macros_escape_their_arguments():
    source = """{% import "navigation.html" as navigation %}
    {{ navigation.trail([{"name": "<", "href": '"'}], "&") }}{{ navigation.keys([("<", "&")]) }}"""
    html = template_environment(SITE).from_string(source).render()
    assert "<<" not in html and html.count("&lt;") == 2 and html.count("&amp;") == 2 and 'href="&#34;"' in html


def test_an_unknown_name_in_a_template_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="missing"):
        template_environment(SITE).from_string("{{ missing }}").render()
    with pytest.raises(jinja2.UndefinedError):
        render_page(SITE, "layer.html", address="layers/a.html", content={})


def test_every_template_compiles():
    for package in ("featviz.pages", SITE):
        environment = template_environment(package)
        names = environment.list_templates()
        assert "base.html" in names
        for name in names:
            environment.get_template(name)


def test_static_files_are_the_shared_ones_and_the_package_s():
    names = set(static_files(SITE))
    assert {"base.css", "charts.css", "index.css", "layer.css", "layer.js", "unit.css", "unit.js"} <= names
    own = [path.name for path in files(SITE).joinpath("static").iterdir()]
    shared = [path.name for path in files("featviz.pages").joinpath("static").iterdir()]
    assert names == {*own, *shared} and not set(own) & set(shared)


def test_a_wheel_holds_every_file_that_is_not_python():
    config = configparser.ConfigParser()
    config.read(ROOT.parent / "setup.cfg")
    if not config.has_section("options.package_data"):
        pytest.skip("no setup.cfg beside the package: it is installed")
    patterns = [
        f"{package.replace('.', '/')}/{pattern.strip()}"
        for package, listed in config["options.package_data"].items()
        for pattern in listed.split(",")
    ]
    data = [path for path in ROOT.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".pyi")]
    assert any(path.parent.name == "templates" for path in data)
    for path in data:
        relative = path.relative_to(ROOT.parent).as_posix()
        matching = [pattern for pattern in patterns if fnmatch(relative, pattern)]
        assert any(pattern.count("/") == relative.count("/") for pattern in matching), relative


def test_jinja_is_not_imported_before_a_page_is_made():
    code = "import sys, featviz.cli.main, featviz.atlas.site.site_writer; print('jinja2' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def luminance(color):
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("dark", [False, True])
def test_text_has_contrast_and_only_the_base_style_has_colors(dark):
    styles = {name: data.decode() for name, data in static_files(SITE).items() if name.endswith(".css")}
    light_part, _, dark_part = styles.pop("base.css").partition("@media (prefers-color-scheme: dark)")
    colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", dark_part if dark else light_part))
    pairs = [(name, "paper") for name in ("ink", "quiet", "accent", "alarm", "good")] + [("ink", "frame")]
    for text, background in pairs:
        bright, dim = sorted((luminance(colors[text]), luminance(colors[background])), reverse=True)
        # WCAG 2, level AA.
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (text, background)
    assert len(styles) >= 4
    assert not [name for name, style in styles.items() if re.search(r"#[0-9a-f]{3,8}\b|rgb|hsl", style)]
