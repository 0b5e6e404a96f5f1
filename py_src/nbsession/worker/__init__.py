"""The process that calls global tasks, `python -m nbsession.worker`; `state` is for users."""
