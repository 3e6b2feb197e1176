"""From a study to chips: ranges, arrays, converters, the patched network."""
