"""The states are drawn, coded and constrained alike."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from enum import StrEnum

import pytest

from scheduling.domain.states import FINAL_STATES, TRANSITIONS, InstanceState, Reason
from tests.architecture.sources import ROOT
from workers.domain.states import EXECUTION_TRANSITIONS, ExecutionState

pytestmark = pytest.mark.unit

PAGE = (ROOT / "docs" / "lifecycle.md").read_text()
DIAGRAMS = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)
START_OR_END = "[*]"

Arrows = set[tuple[str, str]]


def drawn(diagram: str) -> Arrows:
    """The arrows of a diagram; every line has to be one."""
    lines = [line.strip() for line in diagram.strip().splitlines()]
    arrows = {(a, b) for a, b in (line.partition(":")[0].split(" --> ") for line in lines)}
    assert len(arrows) == len(lines), "an arrow is drawn twice"
    return {(a.strip(), b.strip()) for a, b in arrows}


def coded(transitions: Mapping[StrEnum, Set[StrEnum]]) -> Arrows:
    """The arrows of a transition table."""
    return {(a.value, b.value) for a, targets in transitions.items() for b in targets}


def between_states(arrows: Arrows) -> Arrows:
    """The arrows that neither begin nor end outside."""
    return {arrow for arrow in arrows if START_OR_END not in arrow}


@pytest.mark.parametrize(
    ("number", "transitions", "states"),
    [(0, TRANSITIONS, InstanceState), (1, EXECUTION_TRANSITIONS, ExecutionState)],
    ids=["instance", "execution"],
)
def test_the_diagram_draws_the_arrows_of_the_transition_table(
    number: int, transitions: Mapping[StrEnum, Set[StrEnum]], states: type[StrEnum]
) -> None:
    arrows = drawn(DIAGRAMS[number])
    assert between_states(arrows) == coded(transitions)
    assert set(transitions) == set(states)
    ends = {a for a, b in arrows if b == START_OR_END}
    assert ends == {state.value for state, targets in transitions.items() if not targets}


def test_final_states_are_those_without_a_way_out() -> None:
    assert {state for state, targets in TRANSITIONS.items() if not targets} == FINAL_STATES


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"| `{reason.value}` |" in PAGE


@pytest.mark.parametrize("state", [*InstanceState, *ExecutionState])
def test_every_state_is_explained(state: StrEnum) -> None:
    assert f"`{state.value}`" in PAGE
