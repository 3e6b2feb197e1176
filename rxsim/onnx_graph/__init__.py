"""Questions to an ONNX graph, and small changes of one: no physics, nothing of a crossbar."""

from rxsim.onnx_graph.blocked_converters import blocked_converters
from rxsim.onnx_graph.builder import GraphBuilder
from rxsim.onnx_graph.constants import (
    constants,
    drop_unused_constants,
    is_large,
    remove_constants,
    set_constant,
)
from rxsim.onnx_graph.large import (
    are_heavy,
    as_bytes,
    content_of,
    detached,
    fits_a_file,
    is_heavy,
    large_bytes,
)
from rxsim.onnx_graph.names import fresh_name, taken_names
from rxsim.onnx_graph.nodes import attributes, has_subgraph, use_counts
from rxsim.onnx_graph.outputs import with_outputs
from rxsim.onnx_graph.pruning import keep_outputs
from rxsim.onnx_graph.random_nodes import RANDOM, draws_numbers
from rxsim.onnx_graph.rewriting import Rewriting
from rxsim.onnx_graph.scopes import (
    all_graphs,
    all_nodes,
    defined_names,
    inner_graphs,
    nodes_with_holders,
)
from rxsim.onnx_graph.selecting import take, take_range
from rxsim.onnx_graph.serialised import serialised
from rxsim.onnx_graph.shapes import (
    Shape,
    copy_fields,
    inferred_values,
    n_entries,
    shape_of,
    without_large_constants,
)
from rxsim.onnx_graph.signs import nonnegative_tensors
from rxsim.onnx_graph.stamp import stamp, stamp_of
from rxsim.onnx_graph.statistics_inside import (
    WriteStatistic,
    has_known_lengths,
    made_outside_bodies,
    with_statistics,
)
from rxsim.onnx_graph.stored import (
    MAPPABLE,
    forget_file,
    has_files,
    lies_in_file,
    part_of,
    place_in_file,
    raw_pieces,
    values_of,
    with_values,
)

__all__ = [
    "MAPPABLE",
    "RANDOM",
    "GraphBuilder",
    "Rewriting",
    "Shape",
    "WriteStatistic",
    "all_graphs",
    "all_nodes",
    "are_heavy",
    "as_bytes",
    "attributes",
    "blocked_converters",
    "constants",
    "content_of",
    "copy_fields",
    "defined_names",
    "detached",
    "draws_numbers",
    "drop_unused_constants",
    "fits_a_file",
    "forget_file",
    "fresh_name",
    "has_files",
    "has_known_lengths",
    "has_subgraph",
    "inferred_values",
    "inner_graphs",
    "is_heavy",
    "is_large",
    "keep_outputs",
    "large_bytes",
    "lies_in_file",
    "made_outside_bodies",
    "n_entries",
    "nodes_with_holders",
    "nonnegative_tensors",
    "part_of",
    "place_in_file",
    "raw_pieces",
    "remove_constants",
    "serialised",
    "set_constant",
    "shape_of",
    "stamp",
    "stamp_of",
    "take",
    "take_range",
    "taken_names",
    "use_counts",
    "values_of",
    "with_outputs",
    "with_statistics",
    "with_values",
    "without_large_constants",
]
