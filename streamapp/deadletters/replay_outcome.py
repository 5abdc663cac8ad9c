"""What a replay did, or would do: which records it sent, and which letters stay and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from streamapp.deadletters.letter import Letter
from streamapp.deadletters.replay_rule import Objection

_COPY = Objection("copy", "a worker that died wrote the letter twice; the other one is replayed")


@dataclass(slots=True)
class Kept:
    """The letters that are not replayed for one reason.

    Attributes:
        why: The reason for people.
        example: The address of the first of them.
        letters: How many there are.
    """

    why: str
    example: str
    letters: int = 0


class ReplayOutcome:
    """Counts letters as a replay comes to them.

    Attributes:
        sent: How many records were sent.
        kept: How many letters were not.
        last: The address of the last letter; "" before the first.
        newest_ms: When the newest letter was made, in milliseconds; -1 before the first.

    Memory: 16 bytes and some overhead for each record that is sent, to find copies.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.kept = 0
        self.last = ""
        self.newest_ms = -1
        self._records: dict[tuple[str, str, int], int] = {}
        self._reasons: dict[str, Kept] = {}
        self._identities: set[bytes] = set()

    @property
    def records(self) -> Mapping[tuple[str, str, int], int]:
        """The number of records that were sent, by topic, code and new `replay.count`."""
        return dict(sorted(self._records.items()))

    @property
    def reasons(self) -> Mapping[str, Kept]:
        """The letters that were not replayed, by reason."""
        return dict(sorted(self._reasons.items()))

    def add(self, letter: Letter, objection: Objection | None) -> bool:
        """Count a letter; return whether it is to be sent.

        Args:
            letter: The letter.
            objection: Why it is not replayed; None if it may be.
        """
        self.last = letter.address
        self.newest_ms = max(self.newest_ms, letter.made_ms)
        identity = _identity(letter)
        if objection is None and identity in self._identities:
            objection = _COPY
        if objection is not None:
            kept = self._reasons.setdefault(objection.reason, Kept(objection.why, letter.address))
            kept.letters += 1
            self.kept += 1
            return False
        self._identities.add(identity)
        name = letter.source.topic, letter.code, letter.replays + 1
        self._records[name] = self._records.get(name, 0) + 1
        self.sent += 1
        return True


def _identity(letter: Letter) -> bytes:
    """Return 16 bytes that copies of a letter have in common, and other letters do not."""
    found = blake2b(digest_size=16)
    # No name of a topic holds a space, so the place ends where the value begins.
    found.update(
        f"{letter.source.topic} {letter.source.partition} {letter.source_offset} ".encode()
    )
    found.update(letter.value or b"")
    return found.digest()
