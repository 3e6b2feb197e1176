"""Reference solvers for resistive crossbars, independent of the package they check."""
