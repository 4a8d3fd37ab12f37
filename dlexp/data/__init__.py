"""What data plugins share: downloads, file formats, tables, made-up data."""
