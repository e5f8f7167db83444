"""Which units a unit is wired to."""
