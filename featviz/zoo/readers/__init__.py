"""Official files of weights read as arrays, one module for each format; nothing in a file is executed."""
