"""What goes wrong in a conversion."""


class ConversionError(ValueError):
    """A sentence that says which file, which field, and what was expected."""
