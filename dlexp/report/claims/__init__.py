"""Claims, put to the test: read from a study, decided on its runs, written down.

    verdicts = decide(runs.read(folder))
    text(verdicts)  # verdicts.json
    blocks(verdicts)  # for the page and the terminal

`spec.read` checks the claims before anything is trained.
"""
