"""rxsim: what a resistive crossbar does to a neural network."""

__version__ = "0.1.0"
