"""A slow, plain numpy twin of the settings' whole vocabulary, written from MODEL.md alone.

Schemes, balances, bit slicing, layouts, packing, splits, encodings, signed inputs and converter
ranges. Axes are named as in ``twin``: M (input vectors), G (groups, after packing), K (matrix rows),
N (outputs of one group), P (row tiles), Q (column tiles), and S (slices), R (readouts of a cell's
output: two where a pair is converted twice, else one).
"""

from vocabulary.network import Network, build

__all__ = ["Network", "build"]
