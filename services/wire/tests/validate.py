"""Validates instances against JSON Schemas with an independent validator (PyPI: jsonschema).

Input: {"schema", "components", "cases": [{"name", "schema", "value", "good": true|false}]}; a case without a schema has the one of
all, and what a case's own schema refers to stands in the components of all. Prints what does not come out as said; exit 1 then, 3
where the validator is not installed.
"""
import json
import sys

try:
    from jsonschema import Draft202012Validator, FormatChecker
except ImportError as missing:
    print(missing)
    sys.exit(3)


def judge(schema):
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


asked = json.load(sys.stdin)
shared = judge(asked["schema"]) if "schema" in asked else None
wrong = 0
for case in asked["cases"]:
    validator = judge({**case["schema"], "components": asked.get("components")}) if "schema" in case else shared
    errors = [f"{'/'.join(map(str, e.absolute_path)) or '(all of it)'}: {e.message[:300]}" for e in validator.iter_errors(case["value"])]
    if bool(errors) == case["good"]:
        wrong += 1
        print(f"{case['name']}: {'; '.join(errors) or 'is taken, but must not be'}")
sys.exit(1 if wrong else 0)
