"""A network's traced program: flattened, evaluated in part, and searched for layers, ReLUs and unit axes."""
