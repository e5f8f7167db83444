"""A dictionary in a notebook: its kind and sizes, what it was fitted on, and the names of its latents."""

from featviz.common.notebook_html import Html, facts_html, heading_html, joined_html
from featviz.dictionaries.dictionary import Dictionary

# Of its latents, how many names are listed.
MOST_NAMES = 12


def dictionary_html(dictionary: Dictionary) -> Html:
    """The kind as a heading, then a table of what is known."""
    record = dictionary.record
    names = ", ".join(record.names[:MOST_NAMES])
    more = len(record.names) - MOST_NAMES
    facts = [
        ("units", f"{dictionary.units:,}"),
        ("latents", f"{dictionary.latents:,}"),
        ("named", f"{names} and {more} more" if more > 0 else names),
        ("network", record.model),
        ("layer", record.layer),
        ("activations", "" if dictionary.normalization.name == "none" else dictionary.normalization.summary),
        ("format", record.format),
        ("file", record.file),
        *record.notes,
    ]
    return joined_html([heading_html("Dictionary", dictionary.code.title), facts_html(facts)])
