"""What `ndr.method` offers of the registry, which it imports when asked."""

from __future__ import annotations

import pytest

from ndr import method, registry


def test_the_contract_offers_what_the_registry_does() -> None:
    assert method.create is registry.create
    assert method.load_official is registry.load_official
    with pytest.raises(AttributeError, match="no attribute 'creat'"):
        _ = method.creat
