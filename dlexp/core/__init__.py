"""What decides a number: plugin kinds, networks, data sets, the trainer, the experiment."""
