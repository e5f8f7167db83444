"""Rules that give a traced network better gradients, or the same ones faster."""
