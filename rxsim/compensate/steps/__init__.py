"""The compensation steps, one per file: its name in `compensate` is its file's name."""
