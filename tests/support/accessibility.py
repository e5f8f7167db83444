"""Violations of WCAG 2.2 AA on a page, as axe-core finds them."""

import pytest

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
SCHEMES = ("light", "dark")


def violations(page):
    """A line for each element of an open page that violates a rule; skips the test where axe-core is not installed."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": list(TAGS)}})
    return [
        f"{rule['id']}: {node['html'][:120]}: {' '.join(node['failureSummary'].split())[:300]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]
