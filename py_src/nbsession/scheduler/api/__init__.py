"""The task API: declarations, `Task`, and the service behind them."""
