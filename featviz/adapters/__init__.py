"""From a framework's network to a Model, one file a framework, each imported only when used."""
