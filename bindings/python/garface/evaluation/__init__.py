"""Measurements as the field runs them: landmark error on annotated photos, how far eyes and lips are open there, face
finding in scenes, self-inversion.

Of the renderer itself: ``pictures`` (sheets, Frechet distance), ``obedience`` (is the face where the geometry says),
``separation`` (of geometry and z), ``portraits`` (inversion of photos it never saw).

``python -m garface.evaluation`` lists them all. Each module is a script, too: ``python -m garface.evaluation.photos
--help`` and so on.
"""
