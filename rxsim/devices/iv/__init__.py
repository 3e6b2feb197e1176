"""Current-voltage forms of a cell, one a file; to add one is to add a file.

Each file holds `curve`: settings of the form and the read voltage -> an `IVCurve` of
`rxsim.devices.cell_curve`.
"""
