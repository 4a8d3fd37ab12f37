"""The import home of every plugin, `dlexp.plugins.<kind>.<name>`, and what finds their files."""

from __future__ import annotations

from dlexp.paths import PLUGINS

__path__.append(str(PLUGINS))
