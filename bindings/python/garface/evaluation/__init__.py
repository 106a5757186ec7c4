"""Measurements as the field runs them: landmark error on annotated photos, face finding in scenes, self-inversion.

Each module is a script: ``python -m garface.evaluation.photos --help`` and so on.
"""
