"""Why accuracy fell: which effect, which layer, and what would help, each from real runs."""
