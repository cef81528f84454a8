"""Mustache as Universe templates use it."""

import pytest

from comity.cosmos.mustache import MustacheError, render

CASES = [
    # template, context, expected
    ("a {{x}} b", {"x": "1"}, "a 1 b"),
    ("{{missing}}|{{a.missing}}", {"a": {}}, "|"),
    ("{{a.b.c}}", {"a": {"b": {"c": "deep"}}}, "deep"),
    ("{{{x}}}{{&x}}{{x}}", {"x": '<"&>'}, '<"&><"&><"&>'),
    ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": True}, "yes"),
    ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": False}, "no"),
    ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": ""}, "no"),
    ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {}, "no"),
    ("{{#on}}yes{{/on}}{{^on}}no{{/on}}", {"on": []}, "no"),
    ("{{#on}}yes{{/on}}", {"on": 0}, "yes"),
    ("{{#xs}}<{{.}}>{{/xs}}", {"xs": ["a", "b"]}, "<a><b>"),
    ("{{#xs}}{{name}}={{outer}};{{/xs}}", {"xs": [{"name": "n"}], "outer": "o"}, "n=o;"),
    ("{{#o}}{{a}}{{/o}}", {"o": {"a": "in"}, "a": "out"}, "in"),
    ("{{#a}}{{#a}}x{{/a}}{{/a}}", {"a": True}, "x"),
    ("{{! nothing }}x", {}, "x"),
    ("{{#f}}raw {{x}}{{/f}}", {"f": str.upper}, "RAW {{X}}"),
    ("{\n  {{#on}}\n  yes\n  {{/on}}\n}\n", {"on": True}, "{\n  yes\n}\n"),
    ("{\n  {{! gone }}\n}", {}, "{\n}"),
    ("{{#on}}a{{/on}}", {"on": True}, "a"),
    ("{{#a}}\n{{/a}}", {"a": True}, ""),
    ("{{ spaced }}", {"spaced": "x"}, "x"),
    ("{{n}} {{t}}", {"n": 1.5, "t": None}, "1.5 "),
]


@pytest.mark.parametrize(("template", "context", "expected"), CASES)
def test_rendering(template, context, expected):
    assert render(template, context) == expected


@pytest.mark.parametrize(
    "template", ["{{#a}}", "{{/a}}", "{{#a}}{{#b}}{{/a}}{{/b}}", "{{> part}}", "{{=<% %>=}}"]
)
def test_what_cannot_be_rendered_is_refused(template):
    with pytest.raises(MustacheError):
        render(template, {"a": True, "b": True})


def test_an_inner_value_is_not_looked_up_outside():
    assert render("{{#o}}{{a.b}}{{/o}}", {"o": {"a": {}}, "a": {"b": "out"}}) == ""
