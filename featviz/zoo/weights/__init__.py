"""Official weight files: located, downloaded, checked, matched to a network."""
