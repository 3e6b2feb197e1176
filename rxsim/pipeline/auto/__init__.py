"""`compensate: auto`: the steps of compensation that help, chosen on calibration inputs."""
