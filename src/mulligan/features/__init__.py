"""Feature extractors: frozen networks that turn images into the rows that figures compare."""
