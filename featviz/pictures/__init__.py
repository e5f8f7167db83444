"""A picture with its provenance, its files, captions, contact sheets and curves."""
