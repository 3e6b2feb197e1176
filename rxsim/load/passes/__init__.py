"""Passes that bring a graph to the form that layers are looked for in, in place: a file each.

Names that begin with `fold` make constants around a product part of its weights; `folding.py` and
`channelwise.py` are what these share.
"""
