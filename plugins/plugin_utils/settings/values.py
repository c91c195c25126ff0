# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds of values: what a person, a survey, -e or AWX may write for one, and what it means. Pure.

The same answer has many forms: 9090 and "9090", false and "false", a mapping and its JSON as text; and ansible-core 2.19
reads AWX's launch variables again by YAML's rules, so that "2.15" arrives as a float and "0755" as 493.
"""
from __future__ import annotations

import json
import math
import re
import shlex
from typing import Any, Generic, TypeVar

import yaml

T = TypeVar("T")

WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Unfit(ValueError):
    """The value is none of its kind. The message is the way out: "use a whole number from 1"."""


def blank(value: object) -> bool:
    """Nobody has answered: undefined, null, or a text without a word in it."""
    return value is None or (isinstance(value, str) and not value.strip())


class Kind(Generic[T]):
    """Reads a value that is not blank."""

    type: str  # as meta/argument_specs.yml names it
    elements: str | None = None
    choices: tuple[str, ...] = ()

    def read(self, value: Any) -> T:
        raise NotImplementedError


class Text(Kind[str]):
    """longest: in bytes, as what the text ends up in counts them."""

    type = "str"

    def __init__(self, pattern: str = "", way_out: str = "use another one", longest: int = 0):
        self.pattern, self.way_out, self.longest = re.compile(pattern or r"(?s).*"), way_out, longest

    def read(self, value: Any) -> str:
        text = self.words(value)
        if not self.pattern.fullmatch(text) or (self.longest and len(text.encode()) > self.longest):
            raise Unfit(self.way_out)
        return text

    @staticmethod
    def words(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            # What was `on` or `yes` cannot be told any more.
            raise Unfit("a text is needed, in quotes" if isinstance(value, bool) else "a text is needed")
        return str(value).strip()


class Choice(Kind[str]):
    type = "str"

    def __init__(self, *choices: str):
        self.choices = choices

    def read(self, value: Any) -> str:
        word = str(value).strip()
        if word not in self.choices:
            raise Unfit("use one of " + ", ".join(self.choices))
        return word


class Whole(Kind[int]):
    type = "int"

    def __init__(self, least: int = 0, most: int | None = None):
        self.least, self.most = least, most

    def read(self, value: Any) -> int:
        number = whole(value)
        if number is None or number < self.least or (self.most is not None and number > self.most):
            raise Unfit("use a whole number from %d%s" % (self.least, "" if self.most is None else " to %d" % self.most))
        return number


class Duration(Kind[int]):
    """Seconds, written with a unit. A bare number can be 0 only, for people mean hours by 24."""

    type = "str"
    UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

    def read(self, value: Any) -> int:
        match = re.fullmatch(r"([0-9]{1,9})([smhd])", str(value).strip().lower())
        if match:
            return int(match[1]) * self.UNITS[match[2]]
        if whole(value) == 0:
            return 0
        raise Unfit("use a whole number and its unit, s, m, h or d, such as 24h, or 0")


class WholeOrNone(Whole):
    """The words null and none are an answer of their own. A survey of AWX on core 2.19 can say only `none`."""

    type = "raw"

    def read(self, value: Any) -> int:
        if str(value).strip().lower() in ("null", "none"):
            return None  # type: ignore[return-value]
        try:
            return super().read(value)
        except Unfit as error:
            raise Unfit("%s, or none to leave the count to an autoscaler or a human" % error) from None


class Number(Kind[float]):
    type = "float"

    def __init__(self, least: float = 0, most: float = math.inf, above: bool = False, way_out: str = ""):
        self.least, self.most, self.above = least, most, above
        self.way_out = way_out or "use a number %s %s" % ("above" if above else "from", "%g" % least)

    def read(self, value: Any) -> float:
        number = finite(value)
        if number is None or number < self.least or number > self.most or (self.above and number == self.least):
            raise Unfit(self.way_out)
        return number


class YesNo(Kind[bool]):
    type = "bool"

    def __init__(self, remark: str = ""):
        self.way_out = "use true or false (yes/no, on/off, 1/0%s)" % remark

    def read(self, value: Any) -> bool:
        answer = value if isinstance(value, bool) else WORDS.get(str(value).strip().lower())
        if answer is None:
            raise Unfit(self.way_out)
        return answer


class Words(Kind["list[str]"]):
    """A list of texts. As one text, a JSON or YAML list, or words as a shell splits them."""

    type, elements = "list", "str"

    def read(self, value: Any) -> list[str]:
        if isinstance(value, str):
            parsed = structure(value)
            if isinstance(parsed, list):
                value = parsed
            else:
                try:
                    value = shlex.split(value)
                except ValueError as error:
                    raise Unfit("a list is needed (%s)" % error) from None
        if not isinstance(value, (list, tuple)):
            raise Unfit("a list is needed")
        return [_word(item) for item in value if not blank(item)]


class Numbers(Kind["list[int]"]):
    """A list of model versions."""

    type, elements = "list", "int"

    def read(self, value: Any) -> list[int]:
        parsed = structure(value) if isinstance(value, str) else value
        items = parsed if isinstance(parsed, (list, tuple)) else [value]
        numbers = [whole(item) for item in items if not blank(item)]
        if not all(number and number > 0 for number in numbers):
            raise Unfit("use a list of whole numbers from 1")
        return [number for number in numbers if number]  # all of them are


class Items(Kind["list[Any]"]):
    """A list of mappings, or of names where `named` says what a name stands for."""

    type = "list"

    def __init__(self, named: str = ""):
        self.named = named
        self.elements = "raw" if named else "dict"

    def read(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            parsed = structure(value)
            value = value.split() if self.named and not isinstance(parsed, (list, dict)) else parsed
        if not isinstance(value, (list, tuple)):
            raise Unfit("a list is needed")
        if not self.named and not all(isinstance(item, dict) for item in value):
            raise Unfit("a list of mappings is needed")
        return [item if isinstance(item, dict) else {self.named: _word(item)} for item in value]


class Peers(Items):
    """Who may ask, as a NetworkPolicy has them."""

    KEYS = ("podSelector", "namespaceSelector", "ipBlock")

    def read(self, value: Any) -> list[Any]:
        peers = super().read([value] if isinstance(value, dict) else value)
        # One without a word would be everybody by its look, and is refused by Kubernetes.
        if not all(peer and set(peer) <= set(self.KEYS) and all(isinstance(part, dict) for part in peer.values()) for peer in peers):
            raise Unfit(
                "use a list of mappings with the keys %s, such as [{podSelector: {matchLabels: {app: shop}}}]" % ", ".join(self.KEYS))
        return peers


class Mapping(Kind["dict[str, Any]"]):
    type = "dict"
    way_out = "a mapping is needed"

    def read(self, value: Any) -> dict[str, Any]:
        parsed = structure(value) if isinstance(value, str) else value
        if not isinstance(parsed, dict):
            raise Unfit(self.way_out)
        return {str(key): self.entry(str(key), entry) for key, entry in parsed.items()}

    def entry(self, key: str, value: Any) -> Any:
        return value


class TextMapping(Mapping):
    """Of texts, as Kubernetes' labels and annotations are: a bool or a number becomes the word that it was."""

    def __init__(self, pattern: str = "", way_out: str = ""):
        self.pattern, self.refusal = re.compile(pattern or r"(?s).*"), way_out

    def entry(self, key: str, value: Any) -> str:
        text = _word(value)
        if not self.pattern.fullmatch(text):
            raise Unfit(self.refusal)
        return text


class NumberMapping(Mapping):
    """Of whole numbers, each with the least that it may be."""

    def __init__(self, **least: int):
        self.least = least

    def entry(self, key: str, value: Any) -> int:
        if key not in self.least:
            raise Unfit("its keys are " + ", ".join(self.least))
        number = whole(value)
        if number is None or number < self.least[key]:
            raise Unfit("%s is a whole number from %d" % (key, self.least[key]))
        return number


class Limits(Mapping):
    """Of positive numbers by name."""

    def __init__(self, *names: str, way_out: str):
        self.names, self.way_out = names, way_out

    def entry(self, key: str, value: Any) -> float:
        number = finite(value)
        if key not in self.names or number is None or number <= 0:
            raise Unfit(self.way_out)
        return number


class Columns(Mapping):
    """Of a column's name, a list of them, or a value for all tests, by name."""

    way_out = "use a mapping of the model's inputs to columns of the dataset, such as {images: images}, or to values, such as" \
              " {keep_prob: 1.0} or {mode: {value: text}}"

    def entry(self, key: str, value: Any) -> Any:
        is_value = isinstance(value, (bool, int, float)) or (isinstance(value, dict) and list(value) == ["value"])
        if not is_value and (not value or not isinstance(value, (str, list))):
            raise Unfit(self.way_out)
        return value


class TextOrMapping(Kind["str | dict[str, str]"]):
    type = "raw"

    def read(self, value: Any) -> str | dict[str, str]:
        # A name of a file is none of these, though YAML may take "/data/a: b.csv" for a mapping.
        if isinstance(value, str) and re.match(r"\s*({|---\s|[\w.-]+:\s)", value):
            value = structure(value) or value
        if isinstance(value, dict):
            return {str(key): Text.words(entry) for key, entry in value.items()}
        return Text.words(value)


class OctalMode(Kind[str]):
    """755, "755" and "0755" are one mode, and so is 493, which YAML makes of 0755 without quotes."""

    type = "str"

    def read(self, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            readings = {text for text in (str(value), "%o" % value) if _plausible(text)}
            if len(readings) == 1:
                return readings.pop()
        elif isinstance(value, str) and re.fullmatch(r"\s*[0-7]{3,4}\s*", value):
            return value.strip().lstrip("0").rjust(3, "0")
        raise Unfit('use an octal mode in quotes, such as "755"')


class ServerRelease(Kind[str]):
    """A release of TensorFlow Serving, of which two numbers count."""

    type = "str"

    def read(self, value: Any) -> str:
        text = "" if isinstance(value, bool) else str(value).strip()
        if not re.fullmatch(r"[0-9]+\.[0-9]+(\.[0-9]+)?", text):
            raise Unfit('use a release of TensorFlow Serving in quotes, such as "2.15"')
        if isinstance(value, float) and text.partition(".")[2] in ("1", "2"):
            # 2.10 as a number is 2.1.
            raise Unfit('this may be %s or %s0: write all three numbers, such as "2.15.1"' % (text, text))
        return text


def structure(text: str) -> Any:
    """What JSON or YAML as text says; None where it says no more than the text."""
    try:
        parsed = json.loads(text)
    except ValueError:
        try:
            # What was copied from a web page has no-break blanks, which YAML takes for letters.
            parsed = yaml.safe_load(text.replace("\xa0", " "))
        except yaml.YAMLError:
            return None
    return parsed if isinstance(parsed, (dict, list)) else None


def whole(value: Any) -> int | None:
    """The whole number that is meant, None where none is."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return int(value) if re.fullmatch(r"\s*-?[0-9]{1,20}\s*", str(value)) else None


def finite(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plausible(mode: str) -> bool:
    """Could somebody mean that? The owner may read, and nobody may do what the owner may not."""
    if not re.fullmatch(r"[0-7]{3}", mode):
        return False
    owner, group, others = map(int, mode)
    return bool(owner & 4) and not group & ~owner and not others & ~group
