"""What is asked: network, settings, the evaluated and the calibration inputs."""
