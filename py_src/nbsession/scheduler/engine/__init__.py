"""The engine: claims due occurrences, runs them, writes the history."""
