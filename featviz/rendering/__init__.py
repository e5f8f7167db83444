"""render: a request is checked, its stages run, pictures come out."""
