"""The verbs of the command line, one file each: `python -m dlexp sync` runs `sync.py`.

To add a verb, add one file. Its docstring is the help, the first line the summary. It defines
`command`, decorated with `@verb(__doc__)` and click's arguments and options, which calls the work
in another package with plain values and returns the exit status. A file is imported only when its
verb is used.
"""
