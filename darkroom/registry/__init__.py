"""Versions of the model as git tags, published bundles, and the link that the service follows."""

from darkroom.registry.moves import promote, rollback
from darkroom.registry.versions import Version, bundle_of, champion, versions

__all__ = ["Version", "bundle_of", "champion", "promote", "rollback", "versions"]
