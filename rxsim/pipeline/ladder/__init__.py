"""The rungs of an evaluation, and their result."""
