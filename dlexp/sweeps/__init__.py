"""A multirun: every job validated first, trained in parallel, remembered, and compared at the end."""
