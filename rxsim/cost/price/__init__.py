"""Prices: what a network's counts come to in a technology, by component and layer."""
