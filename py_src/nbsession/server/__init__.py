"""The part of nbsession that lives in a Jupyter server or Voilà. User code never runs here."""
