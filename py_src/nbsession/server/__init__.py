"""The part of nbsession in a Jupyter server or Voilà: all on its event loop, and no user code."""
