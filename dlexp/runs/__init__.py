"""A run: how it begins, is trained, saved, resumed and replayed."""
