"""One module for each command, with a `main`."""
