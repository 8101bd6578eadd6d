"""Symbols: the graph, its composition, inference and executors."""
