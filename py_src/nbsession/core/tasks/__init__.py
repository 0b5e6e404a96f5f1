"""Tasks and runs as values that every process uses."""
