"""Helpers that every room may use: canonical JSON, whole files, argument checks, one photograph, compilation."""
