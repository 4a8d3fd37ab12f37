"""The package of every plugin, `dlexp.plugins.<kind>.<name>`, and the search for their files."""

from __future__ import annotations

from dlexp.paths import PLUGINS

__path__.append(str(PLUGINS))
