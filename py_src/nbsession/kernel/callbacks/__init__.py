"""Callbacks of the user: `execute` and periodic callbacks."""
