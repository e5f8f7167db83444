"""Ray as the engine of an atlas."""
