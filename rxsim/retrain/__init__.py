"""Training against the crossbar, and trained values back in the user's file."""
