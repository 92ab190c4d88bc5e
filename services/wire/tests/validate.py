"""Validates instances against JSON Schemas with an independent validator (PyPI: jsonschema).

Input: {"cases": [{"name", "schema", "value", "good": true|false}]}. Prints what does not come out as said; exit 1 then,
3 where the validator is not installed.
"""
import json
import sys

try:
    from jsonschema import Draft202012Validator, FormatChecker
except ImportError as missing:
    print(missing)
    sys.exit(3)

wrong = 0
for case in json.load(sys.stdin)["cases"]:
    Draft202012Validator.check_schema(case["schema"])
    validator = Draft202012Validator(case["schema"], format_checker=FormatChecker())
    errors = [f"{'/'.join(map(str, e.absolute_path)) or '(all of it)'}: {e.message[:300]}" for e in validator.iter_errors(case["value"])]
    if bool(errors) == case["good"]:
        wrong += 1
        print(f"{case['name']}: {'; '.join(errors) or 'is taken, but must not be'}")
sys.exit(1 if wrong else 0)
