"""What would be refused is told before any study starts, and once: not by each study for itself."""

from __future__ import annotations

from collections.abc import Sequence

from dlexp.errors import UserError
from dlexp.sweeps.studies.catalogue import Named


def check(studies: Sequence[Named], overrides: Sequence[str], *, quick: bool, named: bool) -> None:
    """Raises the `UserError` of an override, or of the words of a study that was `named`, before
    one of them starts.

    An override may mean nothing to some studies (a surface has no data): the others have their
    verdicts. So it is refused here where it cannot be meant at all, or where no study takes it; and
    all studies are composed for that only if the first of them do not take it, since each costs
    half a second.
    """
    if not (overrides or named):
        return
    from dlexp.sweeps import rehearsal

    rehearsal.check_words(overrides)
    words = [*(["quick=true", "tracking=none"] if quick else []), *overrides]
    refused = []
    for study in studies:
        try:
            rehearsal.rehearse(study.name, words, study.home)
        except UserError as e:
            if named and e.key.startswith("study"):
                raise
            refused.append(e)
        else:
            if not named:
                return
    if len(refused) == len(studies):
        raise refused[0]
