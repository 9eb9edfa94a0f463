"""Errors for what a caller gets wrong; both are ValueErrors and name the rule and what was given."""


class ShapeError(ValueError):
    """An array has another shape than the notation asks for (columns are examples, matrices have rank 2)."""


class DataError(ValueError):
    """An array has values that the network cannot use: NaN, inf, labels other than 0 and 1, no examples."""
