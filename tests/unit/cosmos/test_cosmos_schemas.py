"""The JSON Schema validator, keyword by keyword (draft 4)."""

import pytest

from comity.cosmos.schemas import violations

REFERRING = {
    "definitions": {"n": {"type": "integer"}},
    "properties": {"a": {"$ref": "#/definitions/n"}},
}

VALID = [
    ({"type": "string"}, "x"),
    ({"type": ["string", "null"]}, None),
    ({"type": "number"}, 1),
    ({"type": "integer"}, 3),
    ({"type": "boolean"}, False),
    ({"enum": [1, "a"]}, "a"),
    ({"minimum": 1}, 1),
    ({"minimum": 1}, "not a number"),
    ({"maximum": 1, "exclusiveMaximum": True}, 0.5),
    ({"multipleOf": 0.1}, 0.3),
    ({"pattern": "b"}, "abc"),
    ({"minLength": 2, "maxLength": 3}, "ab"),
    ({"required": ["a"]}, {"a": 1}),
    ({"required": True}, {}),  # draft 3's form, still in packages
    ({"additionalProperties": False, "properties": {"a": {}}}, {"a": 1}),
    (
        {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False},
        {"x-a": 1},
    ),
    ({"items": {"type": "integer"}}, [1, 2]),
    ({"items": [{"type": "integer"}], "additionalItems": False}, [1]),
    ({"uniqueItems": True}, [1, 2]),
    ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, 1),
    ({"anyOf": [{"minimum": 5}, {"maximum": 1}]}, 0),
    ({"not": {"type": "string"}}, 1),
    ({"dependencies": {"a": ["b"]}}, {"a": 1, "b": 1}),
    (REFERRING, {"a": 1}),
    ({"unknown-keyword": 1}, {}),
]

INVALID = [
    ({"type": "string"}, 1, "type"),
    ({"type": "integer"}, True, "type"),
    ({"type": "number"}, True, "type"),
    ({"type": "integer"}, 1.5, "type"),
    ({"enum": [1]}, True, "enum"),
    ({"minimum": 1}, 0, "minimum"),
    ({"minimum": 1, "exclusiveMinimum": True}, 1, "minimum"),
    ({"maximum": 1}, 2, "maximum"),
    ({"multipleOf": 2}, 3, "multipleOf"),
    ({"pattern": "^b"}, "ab", "pattern"),
    ({"minLength": 2}, "a", "minLength"),
    ({"maxItems": 1}, [1, 2], "maxItems"),
    ({"minProperties": 1}, {}, "minProperties"),
    ({"required": ["a"]}, {}, "required"),
    ({"additionalProperties": False}, {"a": 1}, "additionalProperties"),
    ({"additionalProperties": {"type": "string"}}, {"a": 1}, "type"),
    ({"items": {"type": "integer"}}, ["x"], "type"),
    ({"items": [{}], "additionalItems": False}, [1, 2], "additionalItems"),
    ({"uniqueItems": True}, [{"a": 1}, {"a": 1}], "uniqueItems"),
    ({"oneOf": [{"minimum": 1}, {"minimum": 2}]}, 3, "oneOf"),
    ({"anyOf": [{"type": "string"}]}, 1, "anyOf"),
    ({"allOf": [{"type": "integer"}, {"minimum": 5}]}, 1, "minimum"),
    ({"not": {}}, 1, "not"),
    ({"dependencies": {"a": ["b"]}}, {"a": 1}, "dependencies"),
    (REFERRING, {"a": ""}, "type"),
]


@pytest.mark.parametrize(("schema", "document"), VALID)
def test_what_a_schema_allows(schema, document):
    assert violations(document, schema) == []


@pytest.mark.parametrize(("schema", "document", "keyword"), INVALID)
def test_what_a_schema_forbids(schema, document, keyword):
    assert [found.keyword for found in violations(document, schema)] == [keyword]


def test_a_violation_says_where():
    schema = {"properties": {"a/b": {"items": {"type": "string"}}}}
    [found] = violations({"a/b": ["x", 2]}, schema)
    assert found.pointer == "/a~1b/1"
    assert found.message == "expected string, found integer"
    assert found.as_json()["instance"] == {"pointer": "/a~1b/1"}
