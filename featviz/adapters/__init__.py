"""From a framework's network to a Model: one file for each framework, imported only when it is used."""
