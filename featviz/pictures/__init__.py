"""Pictures: pixels with their provenance, their files, captions, contact sheets and curves of scores."""
