"""Device laws, one a file; to add one is to add a file (see `rxsim.devices.law`)."""
