"""Tasks, calendars and pools as files: apply them, and write them out again."""

from scheduling.services.definitions.apply import Applied, apply_definitions
from scheduling.services.definitions.diff import ObjectChange, Outcome
from scheduling.services.definitions.documents import Document, Documents, read_paths, read_text
from scheduling.services.definitions.export import as_json, as_yaml, export_definitions
from scheduling.services.definitions.problems import DefinitionProblem, DefinitionsRefused, Place

__all__ = [
    "Applied",
    "DefinitionProblem",
    "DefinitionsRefused",
    "Document",
    "Documents",
    "ObjectChange",
    "Outcome",
    "Place",
    "apply_definitions",
    "as_json",
    "as_yaml",
    "export_definitions",
    "read_paths",
    "read_text",
]
