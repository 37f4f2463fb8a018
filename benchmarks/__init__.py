"""Benchmarks, to measure what the runtime costs beside the models that it calls: `python -m benchmarks`."""
