"""The name under which models that were logged to MLflow find their loader."""

from __future__ import annotations

from dlexp.storage.network_file import _load_pyfunc

__all__ = ["_load_pyfunc"]
