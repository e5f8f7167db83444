"""Pictures while a network is trained, and of its checkpoints."""
