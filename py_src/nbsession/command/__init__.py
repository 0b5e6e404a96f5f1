"""The command line: `jupyter nbsession`."""
