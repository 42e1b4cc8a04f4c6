"""Findings: the set of clause ids that an input breaks, and the verdict on it."""

# The clauses with SHOULD that a validator observes; all others reject.
ADVICE = frozenset({"MAN-017", "MAN-018", "STO-004", "STO-016"})


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
