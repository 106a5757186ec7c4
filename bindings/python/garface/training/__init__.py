"""Training of the networks that libgarface loads: the renderer, the inverse network and the face detector.

Everything here needs PyTorch (``pip install garface[train]``) and nothing of the C library.
"""
