"""The process that runs the callables of global tasks: `python -m nbsession.worker`."""
