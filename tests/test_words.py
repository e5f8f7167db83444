"""Private words that the literature does not use stay out of names, messages and documents."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# They stood for reference statistics, coactivation, predicted, inconclusive, identify, gradient, worker pools,
# deceptive units, revisions, overwriting, and so on.
WORDS = (
    *("witness", "witnesses", "company", "foretold", "untold", "doubt", "doubts", "climb", "climbs", "crew"),
    *("liar", "liars", "honest", "blames", "judges", "belonging", "originals", "hung", "enumerated"),
    *("minimizable", "suited_size", "spoil", "editions"),
)
# Also as a part of a name, as in foretold_percentile.
PATTERN = re.compile(rf"(?<![a-z])(?:{'|'.join(WORDS)})(?![a-z])", re.IGNORECASE)
FILES = sorted(
    path
    for folder in ("featviz", "docs", "experiments", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".pyi", ".md", ".html", ".js", ".css")
)


def test_no_private_words():
    found = {
        str(path.relative_to(ROOT)): line
        for path in (*FILES, *ROOT.glob("*.md"))
        for line in path.read_text().splitlines()
        if PATTERN.search(line)
    }
    assert found == {}


def test_the_pattern_matches_whole_words_and_parts_of_names():
    assert all(map(PATTERN.search, ["a witness of", "foretold_percentile", "Crew(ray)", "--spoil"]))
    assert not any(map(PATTERN.search, ["accompany", "eyewitnesses", "undoubtedly"]))
