"""A section of a configuration file that is checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from ndr.nearest_name import check_names


class CheckedSection(BaseModel):
    """A section of the catalogue: frozen, and a misspelt key is an error with the nearest one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, content: Any) -> Any:
        if isinstance(content, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            check_names("key", (str(key) for key in content), known)
        return content
