"""What the tables of the chapters about trust say: types, and which members have to be there.

The shapes are those of `tables`. What is of another type is judged by no other clause, so
`check` gives back what is left: members of another type are gone, but known by name, and so
are names that nobody knows; an element of an array, or a value of a map, of another type is
None, or empty where it should have been an object.
"""

import jsn
from tables import Array, Map, Scalar


def check(value, shape, clause, findings, empty=None):
    """Judge an object against its shape; `empty` is the clause about optional members that are empty."""
    return _Judge(clause, findings, empty).members(value, shape)


class Members(dict):
    """The members of an object that are worth judging, and the names of all that are there."""

    def __init__(self, obj=()):
        super().__init__()
        self.names = set(obj)

    def is_unclear(self, name):
        """Whether a member is there, but nobody can tell what it says."""
        return name in self.names and name not in self


class _Judge:
    def __init__(self, clause, findings, empty):
        self._clause = clause
        self._findings = findings
        self._empty = empty

    def members(self, obj, shape):
        left = Members(obj)
        for name, value in jsn.judged_members(obj):
            if not self._findings.require(name in shape, self._clause):
                continue
            inner = self._value(value, shape[name].shape)
            if inner is not None:
                left[name] = inner
                if self._empty is not None and not shape[name].required:
                    self._findings.require(value not in ([], {}), self._empty)
        self._findings.require(all(name in obj for name, member in shape.items() if member.required), self._clause)
        return left

    def _value(self, value, shape):
        if value is jsn.UNJUDGED or not self._findings.require(_has_type(value, shape), self._clause):
            return None
        if isinstance(shape, Scalar):
            return value
        if isinstance(shape, Array):
            return [self._element(element, shape.element) for element in value]
        if isinstance(shape, Map):
            return {name: self._element(inner, shape.element) for name, inner in jsn.judged_members(value)}
        return self.members(value, shape)

    def _element(self, value, shape):
        inner = self._value(value, shape)
        return Members() if inner is None and isinstance(shape, dict) else inner


def _has_type(value, shape):
    if isinstance(shape, Scalar):
        return jsn.is_integer(value) if shape.type is int else isinstance(value, shape.type)
    return isinstance(value, list if isinstance(shape, Array) else dict)


def ascending(values):
    """Whether strings ascend by their bytes, each once; what was of another type is passed over."""
    keys = [value.encode() for value in values if value is not None]
    return all(before < after for before, after in zip(keys, keys[1:]))
