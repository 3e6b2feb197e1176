"""Settings of many points are read section by section: as JSON would be, whatever the texts are."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rxsim.errors import InputError
from rxsim.store.coding import SettingsReader, settings_of

# Words that a section might be cut at wrongly, were it not read as JSON.
WORDS = ["", "},", '","b":{', 'a"', "\\", '},"b":1', "é", ',"c":', "}", "adc"]
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(WORDS),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
SECTIONS = st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=5)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": ")])
DAMAGE = st.tuples(
    st.integers(0, 200), st.sampled_from(["", "{", "}", '"', ",", ":", " ", "NaN", ',"b":1'])
)


def told(read: Any, text: str) -> str:
    try:
        found = read(text, "key")
    except InputError as error:
        return str(error)
    return json.dumps(found) + str([type(value) for value in found.values()])


@settings(max_examples=100, deadline=None)
@given(SECTIONS, st.lists(st.tuples(SECTIONS, SEPARATORS, st.none() | DAMAGE), max_size=8))
def test_a_reader_reads_what_json_reads(
    base: dict[str, Any], changes: list[tuple[dict[str, Any], Any, tuple[int, str] | None]]
) -> None:
    reader = SettingsReader()
    for change, separators, damage in changes:
        text = json.dumps({**base, **change}, separators=separators, ensure_ascii=False)
        if damage is not None:
            place, word = damage[0] % (len(text) + 1), damage[1]
            text = text[:place] + word + text[place + 1 :]
        assert told(reader.read, text) == told(settings_of, text)
