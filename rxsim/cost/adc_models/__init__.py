"""The ADC models, one per file: its name is its file's name."""
