"""What decides a number: plugins and their kinds, networks, data sets, the trainer, the experiment."""
