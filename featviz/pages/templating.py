"""Pages from Jinja templates: all that a template inserts is escaped, and a name it does not know is an error.

A room that has pages keeps its own in a folder `templates` and its styles and scripts in a folder `static`; what all
pages share lies in those two folders of `featviz.pages`. A page extends `base.html`:

    {% extends "base.html" %}
    {% set styles = ["charts", "unit"] %}   {# beside base.css; `scripts` likewise #}
    {% block main %}...{% endblock %}
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from featviz.pages import formatting
from featviz.pages.addresses import ASSETS, link

if TYPE_CHECKING:
    from jinja2 import Environment

SHARED = "featviz.pages"
# Nothing is loaded from elsewhere and no script inside a page runs. `file:`, as a page on the disk has no origin.
POLICY = (
    "default-src 'none'; img-src 'self' file: data:; style-src 'self' file: 'unsafe-inline'; script-src 'self' file:"
)


@cache
def template_environment(package: str) -> "Environment":
    """The Jinja environment of a package's templates and the shared ones.

    It has the filters `number`, `signed` and `percent`, and `count` as a function.

    >>> page = template_environment("featviz.pages").from_string("<p title='{{ title }}'>{{ score | number }}</p>")
    >>> page.render(title="'<b>", score=0.25)
    "<p title='&#39;&lt;b&gt;'>0.25</p>"
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, SHARED))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters |= {
        "number": formatting.format_number,
        "signed": formatting.format_signed,
        "percent": formatting.format_percent,
        "name": formatting.format_name,
    }
    environment.globals |= {"count": formatting.format_count, "policy": POLICY}
    return environment


def render_page(package: str, template: str, *, address: str, content: Mapping[str, object]) -> bytes:
    """Renders a template as an HTML file.

    Args:
      package: whose templates it is made from, such as "featviz.atlas.site".
      template: the template's file name.
      address: the page's address on its site. In the template, `link(target)` is a relative address as seen from
        there, `asset(name)` that of a style or script.
      content: the template's variables.

    Returns:
      The page in UTF-8; a lone surrogate in a name becomes a question mark.

    Raises:
      jinja2.UndefinedError: if the template uses a name that `content` lacks.

    >>> content = {"title": "a < b", "styles": ["charts"]}
    >>> html = render_page("featviz.pages", "base.html", address="layers/a.html", content=content).decode()
    >>> [line for line in html.splitlines() if "title" in line or "charts" in line]
    ['<title>a &lt; b</title>', '<link rel="stylesheet" href="../assets/charts.css">']
    """
    page = template_environment(package).get_template(template)
    html = page.render(
        {
            **content,
            "link": lambda target: link(target, address),
            "asset": lambda name: link(f"{ASSETS}/{name}", address),
        }
    )
    return html.encode("utf-8", "replace")


def static_files(package: str) -> dict[str, bytes]:
    """The shared styles and scripts and those of a package: file name -> content.

    >>> sorted(static_files("featviz.pages"))
    ['base.css', 'charts.css']
    """
    return {
        file.name: file.read_bytes()
        for name in dict.fromkeys((SHARED, package))
        for file in sorted(files(name).joinpath("static").iterdir(), key=lambda file: file.name)
        if file.name.endswith((".css", ".js"))
    }
