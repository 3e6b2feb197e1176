"""What a network costs: counts from its tile map, times what a technology says of each action.

Source: docs/concepts/cost.md.
"""
