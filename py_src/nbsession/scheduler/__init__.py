"""The scheduler: pure asyncio, with a store and an executor plugged in."""
