from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.idset import IdSet

pytestmark = pytest.mark.unit


@given(st.lists(st.lists(st.text("ab1", max_size=3), max_size=20), max_size=12))
def test_it_tells_new_from_known_as_a_python_set_does(batches: list[list[str]]) -> None:
    ids, known = IdSet(), set[str]()
    for batch in batches:
        array = pa.array(batch, pa.string())
        assert ids.contains(array).tolist() == [text in known for text in batch]
        expected = []
        for text in batch:
            expected.append(text not in known)
            known.add(text)
        assert ids.add(array).tolist() == expected
    assert len(ids) == len(known)
