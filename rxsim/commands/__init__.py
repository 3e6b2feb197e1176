"""The commands: thin click wrappers around what a notebook would call; no physics here."""
