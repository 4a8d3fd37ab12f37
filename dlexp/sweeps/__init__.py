"""Many runs: validates every job, trains it with a launcher, and records the result.

From a configuration to jobs (`config.grid` makes the combinations):
    sweepers       the options of `hydra/sweeper=`: all combinations, or a search
    validate       checks all jobs before the first of them starts
    space          the space of a search
    study          the named study of a sweep; study_file: its description; study_changes: how the
                   training differs from it; claim_checks: its claims
    identity       decides what is the same run, and the same sweep
    earlier        runs of a sweep that an earlier version of dlexp trained

From jobs to a ledger:
    session        a running sweep: trains the missing jobs and records each result
    search         trials drawn at random or by TPE (trials, tpe); uses the session
    job            a job and its result, as values
    launcher       the protocol of launchers, and the loop that keeps jobs running
    launchers/     the launchers
    worker         trains one job
    progress       the line on stderr

    studies/       `dlexp claims`: the available studies, and a command for each
"""
