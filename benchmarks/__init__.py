"""Scripts that measure what the documentation claims. Each prints a table and writes benchmarks/results/NAME.json."""
