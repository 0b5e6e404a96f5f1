"""Where schedules and runs are kept."""
