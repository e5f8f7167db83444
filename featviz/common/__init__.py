"""Helpers for all rooms: canonical JSON, atomic files, argument checks, photographs, compilation and its cache."""
