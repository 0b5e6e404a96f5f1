"""Sessions of the server: list, lifecycle, culling."""
