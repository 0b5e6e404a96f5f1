"""What nbsession tells by jupyter_events: the schemas lie beside this."""
