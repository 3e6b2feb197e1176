"""ONNX's operators in torch: each file makes those of one kind, from a node that is read once."""
