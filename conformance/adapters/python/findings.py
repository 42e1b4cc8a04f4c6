"""Findings: the set of clause ids that an input breaks, and the verdict on it."""

# The clauses with SHOULD that a validator observes; all others reject.
_OCI_ADVICE = (
    7, 8, 9, 12, 19, 24, 29, 30, 31, 37, 38, 39, 40, 41, 46, 47, 49, 51, 56, 57,
    61, 62, 63, 64, 65, 66, 68, 73, 75, 78, 79, 80, 83, 84, 85, 86, 87, 88, 89,
    97, 98, 101, 104, 105, 106, 107, 108, 113,
)
ADVICE = frozenset({"MAN-017", "MAN-018", "STO-004", "STO-016", *(f"OCI-{number:03}" for number in _OCI_ADVICE)})


class Findings:
    """Collects clause ids; each is kept once however often it is broken."""

    def __init__(self):
        self._ids = set()

    def add(self, clause):
        self._ids.add(clause)

    def require(self, condition, clause):
        """Record the clause unless the condition holds; return whether it does."""
        if not condition:
            self._ids.add(clause)
        return bool(condition)

    def merge(self, other):
        self._ids |= other._ids

    @property
    def ids(self):
        return sorted(self._ids)

    @property
    def rejected(self):
        return bool(self._ids - ADVICE)
