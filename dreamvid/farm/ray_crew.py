"""The actors of a farm on Ray: who is idle, and who must leave because it can begin nothing."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from dreamvid.errors import DreamvidError
from dreamvid.farm.working import ATTEMPTS, REFUSALS


class Crew:
    """Actors, and what they have refused.

    A machine without a plugin or weights refuses every unit at once. It must not use up what others
    would make.
    """

    def __init__(self, hands: Sequence[Any], say: Callable[[str], None]) -> None:
        self.hands, self.idle, self.say = list(hands), deque(hands), say
        self._in_a_row: dict[Any, int] = defaultdict(int)
        self._refused: dict[str, set[Any]] = defaultdict(set)

    def hand_for(self, unit: str) -> Any:
        """An idle actor that has not refused a unit, no longer idle; None where there is none."""
        for hand in self.idle:
            if hand not in self._refused[unit]:
                self.idle.remove(hand)
                return hand
        return None

    def may_try(self, unit: str) -> bool:
        """Whether an idle actor has not refused a unit."""
        return any(hand not in self._refused[unit] for hand in self.idle)

    def given_up(self, unit: str) -> bool:
        """Whether so many actors have refused a unit that no other is asked."""
        return len(self._refused[unit]) >= min(ATTEMPTS, len(self.hands))

    def back(self, hand: Any) -> None:
        """An actor has made something, or has failed at it, and is idle."""
        self._in_a_row[hand] = 0
        self.idle.append(hand)

    def refuse(self, hand: Any, unit: str, reason: str) -> None:
        """An actor cannot begin a unit, and leaves if it could not begin those before.

        Raises:
            DreamvidError: it was the last one that was left.
        """
        self._refused[unit].add(hand)
        self._in_a_row[hand] += 1
        if self._in_a_row[hand] < REFUSALS:
            self.idle.append(hand)
        else:
            self.leave(hand, reason)

    def leave(self, hand: Any, reason: str) -> None:
        """An actor cannot make anything.

        Raises:
            DreamvidError: it was the last one that was left.
        """
        self.hands.remove(hand)
        if not self.hands:
            raise DreamvidError(reason)
        for refused in self._refused.values():
            refused.discard(hand)
        self.say(f"a worker leaves: {reason}")
