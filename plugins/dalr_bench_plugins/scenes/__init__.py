"""Scenes: a small world of known meaning. A scene gives a picture and captions that state some of its facts.

Standard library and Pillow only; a pure function of its options and seeds (no hash order, no clock).
"""

# Raised whenever the same options would give other sentences, pictures, pairs or gold: it is part of every fingerprint.
VERSION = 1
