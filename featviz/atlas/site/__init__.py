"""The atlas's own pages."""
