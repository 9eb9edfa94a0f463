"""Errors for invalid arguments. The messages of the ValueErrors name the rule and the given value."""


class ShapeError(ValueError):
    """An array does not have the required shape (columns are examples, matrices have rank 2)."""


class DataError(ValueError):
    """An array has values that the network cannot use: NaN, inf, labels other than 0 and 1, no examples."""


class AdditionError(Exception):
    """An extension cannot be sent to a worker, or cannot be loaded there; training itself never causes this error."""
