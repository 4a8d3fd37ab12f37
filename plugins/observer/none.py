"""Nobody looks on."""

from dlexp import Observer, plugin


@plugin("none")
class NoObserver(Observer):
    """Neither progress nor figures: the run and its journal only."""

    does_nothing = True
    measures = ()
