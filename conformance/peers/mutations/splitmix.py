"""Numbers that look random and are the same on every machine: splitmix64."""

_MASK = (1 << 64) - 1


class Numbers:
    """A generator; the numbers of a mutant follow from the seed of the run and its index alone."""

    def __init__(self, seed, index=0):
        self._state = (seed * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03 + 1) & _MASK
        self._next()

    def _next(self):
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, end):
        """A number from 0 to `end` - 1; 0 if there is none."""
        return self._next() % end if end > 0 else 0

    def once_in(self, count):
        """Whether one of so many says so."""
        return self.below(count) == 0

    def pick(self, items):
        """One of several."""
        return items[self.below(len(items))]
