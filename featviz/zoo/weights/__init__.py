"""Official files of weights: located, downloaded, checked, and matched to a network."""
