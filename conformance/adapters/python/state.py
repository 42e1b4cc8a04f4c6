"""What a verifier remembers of an authority (chapter "Policy", section State): POL-033 to POL-042."""

import fcntl
import os

import folder
import jsn
import pol
import rel
from findings import Findings
from sig import Rejected


class Memory:
    """The state of one authority, held for as long as nobody else may change it; a context manager."""

    def __init__(self, directory, authority):
        self._authority = authority
        self._path = os.path.join(directory, authority + ".json")
        os.makedirs(directory, mode=0o755, exist_ok=True)
        lock = os.path.join(directory, authority + ".lock")
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def __enter__(self):
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._bytes = folder.read_trusted(self._path, pol.MAX_STATE)
            self._value = self._load()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, *_):
        try:
            self._save()
        finally:
            os.close(self._lock)

    def _load(self):
        """POL-018; a state of another authority than its name says is not one either."""
        if self._bytes is None:
            return {"authority": self._authority}
        findings = Findings()
        value = pol.check_state(self._bytes, findings)
        if value is None:
            raise Rejected(*findings.ids)
        if value["authority"] != self._authority:
            raise Rejected("POL-018")
        return value

    def _save(self):
        """Replace the file as a whole, if there is something new."""
        if self._value.keys() == {"authority"} and self._bytes is None:
            return
        data = jsn.canonical_form(self._value)
        if data == self._bytes:
            return
        if len(data) > pol.MAX_STATE:
            raise Rejected("POL-031")
        fresh = self._path.removesuffix(".json") + ".temp"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644), "wb") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(fresh, self._path)
        place = os.open(os.path.dirname(self._path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(place)
        finally:
            os.close(place)

    @property
    def keyring(self):
        """Number and payload digest of the last keyring, or None."""
        return self._value.get("keyring")

    def _known(self, name):
        return self._value.get("names", {}).get(name, {})

    def _name(self, name):
        return self._value.setdefault("names", {}).setdefault(name, {})

    # Keyrings

    def keep_keyring(self, accepted, is_judged_otherwise):
        """POL-037 and POL-038, after keyrings have been accepted; the last one is the newest.

        What is known of a name that the policy does not judge by the keyring stays: its serials have nothing to do
        with the rules there, and would be forgotten whenever another name is looked at.
        """
        last = accepted[-1]
        self._value["keyring"] = {"digest": last.digest, "version": last.number}
        for name, known in self._value.get("names", {}).items():
            rule = last.rule("catalog", name)
            if rule is None or "catalog" not in known or is_judged_otherwise(name):
                continue
            if not _same_rule(rule, known["catalog"]):
                floor = last.number
                for keyring in reversed(accepted):
                    other = keyring.rule("catalog", name)
                    if other is None or not _same_rule(rule, other):
                        break
                    floor = keyring.number
                known["catalog"] = {**_rule_alone(rule), "floor": floor}

    # Catalogs

    def drop_catalog_of_other_rule(self, name, rule):
        """What POL-038 says of rules with `keys`."""
        known = self._known(name)
        if "catalog" in known and not _same_rule(rule, known["catalog"]):
            del known["catalog"]
            self._tidy(name)

    def _tidy(self, name):
        """Take away what holds nothing any more."""
        if not self._value["names"][name]:
            del self._value["names"][name]
        if not self._value["names"]:
            del self._value["names"]

    def check_catalog(self, name, catalog, digest):
        """POL-033 to POL-035."""
        known = self._known(name).get("catalog", {})
        if catalog["serial"] < known.get("serial", 0):
            raise Rejected("POL-033")
        if catalog["serial"] == known.get("serial") and digest != known["digest"]:
            raise Rejected("POL-034")
        if catalog["keyring"]["version"] < known.get("floor", 0):
            raise Rejected("POL-035")

    def keep_catalog(self, name, catalog, digest, rule):
        """POL-037; a floor stays, as catalogs from before it are refused for good."""
        known = self._name(name)
        floor = {key: value for key, value in known.get("catalog", {}).items() if key == "floor"}
        known["catalog"] = {**_rule_alone(rule), **floor, "serial": catalog["serial"], "digest": digest}

    # Images

    def check_image(self, name, version, platform, image):
        """POL-036."""
        for element in self._known(name).get("images", {}).get(version, []):
            if element["platform"] == platform and element["image"] != image:
                raise Rejected("POL-036")

    def keep_image(self, name, version, platform, image):
        """POL-039."""
        elements = self._name(name).setdefault("images", {}).setdefault(version, [])
        if all(element["platform"] != platform for element in elements):
            elements.append({"platform": platform, "image": image})
            elements.sort(key=lambda element: rel.order_of(element["platform"]))


def _rule_alone(rule):
    return {"keyids": list(rule["keyids"]), "threshold": rule["threshold"]}


def _same_rule(one, other):
    return _rule_alone(one) == _rule_alone(other)
