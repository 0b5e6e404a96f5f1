"""Every benchmark, one after the other: ``python benchmarks/run.py [--rounds N] [--json]``."""

from __future__ import annotations

import answers
import bundle
import busy
import busy_cost
import engine
import first_headers
import kernel_start
import load
import location
import periodic
import round_trip
import store
import table
import voila_page

import worker

if __name__ == "__main__":
    table.main(
        load.measure,
        first_headers.measure,
        kernel_start.measure,
        voila_page.measure,
        round_trip.measure,
        location.measure,
        busy.measure,
        busy_cost.measure,
        periodic.measure,
        engine.measure,
        store.measure,
        worker.measure,
        answers.measure,
        bundle.measure,
    )
