"""The targets of `make fuzz` hold for what they start from, so that a fuzzer meets the code and not a stale target."""

from __future__ import annotations

import pytest

from tests.support.fuzz_targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_what_it_starts_from(name: str) -> None:
    seeds = list(TARGETS[name].seeds())
    assert seeds
    assert max(map(len, seeds)) <= TARGETS[name].longest
    for seed in seeds:
        TARGETS[name].take(seed)
