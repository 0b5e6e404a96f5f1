"""Capture of the page's request, without credentials."""
