"""The kernel's link to its Jupyter server."""
