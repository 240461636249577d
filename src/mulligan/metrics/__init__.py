"""Arithmetic of the figures: from float arrays of features, labels or images to values."""
