"""A closer look at single arrays: probes, verification, SPICE, error of the transformation."""
