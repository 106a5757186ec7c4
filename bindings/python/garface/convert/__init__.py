"""Converters from published face models to the library's head models.

    python -m garface.convert basel-2017 model2017-1_bfm_nomouth.h5 head.safetensors
    garface.HeadModel("head.safetensors")

Needs `pip install 'garface[convert]'` (h5py). The models themselves come from their owners.
"""
from .problem import ConversionError

__all__ = ["ConversionError"]
