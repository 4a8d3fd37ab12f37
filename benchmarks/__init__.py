"""How long things take, each beside a peer in the same run: `python -m benchmarks.step`."""
