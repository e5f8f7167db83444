"""Command-line options, each defined once."""
