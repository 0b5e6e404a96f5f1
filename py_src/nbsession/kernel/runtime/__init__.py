"""The runtime below all features: main loop, busy, message hooks, runner of callbacks."""
