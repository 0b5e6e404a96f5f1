"""Events of nbsession through jupyter_events."""
