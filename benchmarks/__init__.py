"""Side-by-side runs of sknn_basics and its peers: ``python -m benchmarks``."""
