"""Checks the chain of an event log with nothing of ours: RFC 8785 and the hash, written from their texts.

Input, with `--cases`: the table `cases/canonical.json`; else an event log, one event a line or a JSON array. Prints what does not
come out as said; exit 1 then.
"""
import hashlib
import json
import sys
from decimal import Decimal


def number(value):
    """ECMA-262, Number::toString: the shortest digits that read as this double, in its own layout."""
    sign, digits, power = Decimal(repr(float(value))).as_tuple()
    digits = "".join(map(str, digits)).lstrip("0")
    if not digits:
        return "0"
    point = len(digits) + power
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count)
    elif 0 < point <= 21:
        text = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        text = digits[0] + ("." + digits[1:] if count > 1 else "") + f"e{point - 1:+d}"
    return "-" * sign + text


def canonical(value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be"))
    return "{" + ",".join(json.dumps(name, ensure_ascii=False) + ":" + canonical(value[name]) for name in names) + "}"


def own_hash(event):
    rest = {name: value for name, value in event.items() if name not in ("prev_hash", "hash")}
    return hashlib.sha256((event["prev_hash"] + canonical(rest)).encode()).hexdigest()


def flaws(events):
    before = None
    for event in events:
        if event["hash"] != own_hash(event):
            yield f"event {event['seq']}: its hash is not that of what it says"
        if before and (event["prev_hash"], event["seq"]) != (before["hash"], before["seq"] + 1):
            yield f"event {event['seq']}: does not follow {before['seq']}"
        before = event


def main():
    text = sys.stdin.read()
    if "--cases" in sys.argv:
        table = json.loads(text)
        wrong = [f"{case['json']}: {canonical(json.loads(case['json']))}" for case in table["canonical"] if canonical(json.loads(case["json"])) != case["canonical"]]
        wrong += [f"{event}: {own_hash(event)}" for event in table["events"] if own_hash(event) != event["hash"]]
        count = len(table["canonical"]) + len(table["events"])
    else:
        events = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines() if line]
        wrong, count = list(flaws(events)), len(events)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{count} looked at")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
