"""Schedules: cron, periods and instants, as triggers that give the next due time."""
