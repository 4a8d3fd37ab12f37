"""Many runs: every job is validated first, trained wherever the launcher runs it, and written down.

From a configuration to jobs (`config.grid` makes the combinations):
    sweepers       what `hydra/sweeper=` chooses: every combination, or a search
    validate       the jobs, known to be right before the first of them starts
    space          what a search draws from
    study          the named study of a sweep; study_file: what its file says; study_changes: what
                   is trained otherwise; claim_checks: its claims
    identity       what makes two runs the same run, and two commands the same sweep
    earlier        runs of a sweep that an earlier version of dlexp trained

From jobs to a ledger:
    session        a sweep at work: trains what is missing, writes down each end
    search         trials drawn at random or by TPE (trials, tpe); uses the session
    job            a job and its result, as values
    launcher       the protocol of where jobs run, and the loop that keeps them in flight
    launchers/     the launchers
    worker         one job, as a worker trains it
    progress       the line on stderr

    studies/       `dlexp claims`: the studies that there are, and a command for each
"""
