"""Files of dictionaries that other libraries write, one module for each format; nothing in a file is executed."""
