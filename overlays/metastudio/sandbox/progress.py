"""Tasks that move through their states while the sandbox runs."""

from __future__ import annotations

from random import Random

from metastudio.contract.operation import Operation
from metastudio.sandbox.listing import Listing, set_at, values_at
from metastudio.sandbox.store import Store

SHARE = 0.3
"""Share of the moving tasks that move in each step."""


def next_state(operation: Operation, state: str) -> str | None:
    """Return the state after this one, None if the task does not move.

    It is the next one in the contract's order in which a task goes on or succeeds.
    """
    known, names = operation.states.get(state), list(operation.states)
    if known is None or known.at_rest:
        return None
    later = names[names.index(state) + 1 :]
    goes_on = (
        name
        for name in later
        if (each := operation.states[name]).ended == "success" or (not each.at_rest and each.phase != "failed")
    )
    return next(goes_on, None)


def advance(listing: Listing, store: Store, random: Random) -> None:
    """Move some of the tasks of a list by one state."""
    pointer = listing.operation.state_property
    if pointer is None:
        return
    for position, item in store.positions():
        for state in values_at(item, pointer):
            later = next_state(listing.operation, str(state))
            if later is not None and random.random() < SHARE:
                set_at(item, pointer, later)
                store.replace_at(position, item)
