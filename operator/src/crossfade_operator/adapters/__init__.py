"""One module per implementation of a port."""
