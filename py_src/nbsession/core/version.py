"""The version, which package.json holds too: `make test-wheel` compares them."""

__version__ = "0.1.0"
