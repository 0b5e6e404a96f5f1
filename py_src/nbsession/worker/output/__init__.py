"""The output of runs: streams of this process, and pipes of subprocesses."""
