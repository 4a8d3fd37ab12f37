"""What is on the disk, and its only readers and writers."""
