"""What a take of an older version was painted from: its record does not say it, the session's journal does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from overpaint.record import SourceType, joined_types, type_of_record

from ._history import SessionState
from ._values import SeenStep, Take

UNKNOWN = SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA
"""Of what was seen and is no longer there: silence proves nothing, and no label may hide generative AI."""


class SeenTakes:
    """Finds the takes that engines saw, by the numbers of their steps and the digests of their looks."""

    def __init__(self, states: Callable[[], Iterable[SessionState]], dropped: Callable[[], Collection[str]]) -> None:
        """Nothing is looked up yet.

        Args:
            states: All states of a session, those too that nothing leads to any more.
            dropped: The takes that are gone.
        """
        self._states, self._dropped = states, dropped
        self._found: dict[tuple[int, str], str] | None = None

    def origin_of(self, take: Take, read: Callable[[str], Take]) -> SourceType:
        """The joined source type of all that a take was painted from, of which there is something.

        Args:
            take: One whose record does not say it.
            read: Reads a take by its digest.
        """
        types: list[SourceType] = []
        known: set[str] = set()
        left: list[SeenStep] = list(take.saw)
        while left:  # no recursion: nothing bounds how deep steps were painted from one another
            digest = self._take_of(left.pop())
            if digest is None:
                types.append(UNKNOWN)
            elif digest not in known:
                known.add(digest)
                below = read(digest)
                types.append(type_of_record(below.record))
                if not below.record.painted_from:
                    left += below.saw
        return joined_types(types) or UNKNOWN

    def _take_of(self, seen: SeenStep) -> str | None:
        if self._found is None:
            steps = (step for state in self._states() for step in state.stack)
            self._found = {(step.number, step.paint): step.take for step in steps}
        digest = self._found.get((seen.step, seen.paint))
        return None if digest is None or digest in self._dropped() else digest
