"""The launchers, a file each: where the jobs of a sweep run."""
