"""The import home of every plugin, `dlexp.plugins.<kind>.<name>`, and what finds the plugin files."""

from __future__ import annotations

from dlexp.paths import PLUGINS

__path__: list[str] = [*__path__, str(PLUGINS)]
