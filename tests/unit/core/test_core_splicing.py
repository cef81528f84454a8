"""Documents put together from encoded parts."""

import json

import pytest

from comity.core import splicing
from comity.core.splicing import Spliced


def whole(document, context=None, **sizes):
    parts = splicing.pieces(splicing.skeleton(document), context)
    return b"".join(splicing.joined(parts, **sizes))


def test_a_document_without_holes():
    assert whole({"a": [1, "x"]}) == b'{"a":[1,"x"]}'


@pytest.mark.parametrize("number", [0, 1, 2, 7])
@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_holes_are_lists(number, at_once):
    items = [json.dumps({"n": each}).encode() for each in range(number)]
    document = {"a": Spliced(lambda context: items), "b": [Spliced(lambda context: items)]}
    found = json.loads(whole(document, at_once=at_once, size=8))
    assert found == {
        "a": [{"n": n} for n in range(number)],
        "b": [[{"n": n} for n in range(number)]],
    }


def test_holes_may_hold_documents_with_holes_filled_for_a_context():
    inner = splicing.skeleton({"in": Spliced(lambda context: [context])})
    document = {"out": Spliced(lambda context: [inner, inner])}
    assert json.loads(whole(document, b"1")) == {"out": [{"in": [1]}, {"in": [1]}]}
    assert json.loads(whole(document, b"2")) == {"out": [{"in": [2]}, {"in": [2]}]}


def test_text_that_looks_like_a_hole_is_text():
    text = "\x000\x00"
    assert json.loads(whole({"a": text, "b": Spliced(lambda context: [])})) == {"a": text, "b": []}


def test_text_is_ascii():
    assert whole({"a": "ü𐀀"}) == b'{"a":"\\u00fc\\ud800\\udc00"}'


def test_the_bytes_come_in_blocks():
    items = [b"1234567890"] * 1000
    parts = splicing.pieces(splicing.skeleton(Spliced(lambda context: items)), None)
    blocks = list(splicing.joined(parts, size=1000, at_once=50))
    assert len(blocks) > 9
    assert max(map(len, blocks)) < 2000
    assert len(json.loads(b"".join(blocks))) == 1000


def test_what_is_not_json_is_refused():
    with pytest.raises(NotImplementedError):
        splicing.skeleton({"a": object()})
