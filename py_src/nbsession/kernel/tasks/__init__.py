"""`state.schedule_task` and `state.tasks` in a kernel."""
