"""Converters from published model files to the project's safetensors formats."""
