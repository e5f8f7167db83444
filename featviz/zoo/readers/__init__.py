"""Official weight files read as arrays, one file a format; they are untrusted, and nothing in them is executed."""
