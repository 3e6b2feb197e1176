"""A slow, plain numpy twin of the crossbar model: an emulator that shares nothing with the package.

It is written from the model's description (docs/concepts/model.md, sections 1-7, 12 and 13) and takes
plain inputs only: numpy arrays, a plain dictionary of settings, and the ONNX file as `onnx` itself
parses it. It imports nothing of the package and takes nothing that the package derived: tiles, scales,
ranges and random draws are all made anew here, in float64, with one product for every array.

Where the description leaves a convention open, the twin follows what the package documents, and says
so where it does:

- `chip`: keys of the random draws, and what each effect draws from its stream;
- `errors`: streams and shapes of the draws of converter errors, and what a curve is;
- `pulses`: thresholds of random pulses;
- `places`: order of arrays, columns and permutations;
- `circuit`: cells that the inputs gate;
- `ranges`: candidates of a range of least mean square error.

Axes are named B (batch), M (input vectors: batch times output positions), G (groups, after packing),
K (matrix rows), N (outputs of one group), P (row tiles), Q (column tiles), S (slices) and R (cells of a
weight that are read apart: two where a pair is converted twice, else one).
"""

from twin.network import Network, build
from twin.settings import Settings, complete, of_layer

__all__ = ["Network", "Settings", "build", "complete", "of_layer"]
