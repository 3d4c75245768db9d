"""Lines of a log as OTLP has them: JSON for `POST /v1/logs`, of the OpenTelemetry protocol's HTTP form."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from myquant.monitor.log_merge import fields_of

SEVERITIES: Final = {"debug": 5, "info": 9, "warning": 13, "error": 17}  # of OTLP, by level
HEAD: Final = ("time", "level", "event", "session")
NAMES: Final = {"exception": "exception.stacktrace"}  # that OpenTelemetry has for what we name otherwise
INT64: Final = 2**63
SECOND_NS: Final = 1_000_000_000


def request_of(source: str, lines: Sequence[bytes], now_ns: int) -> bytes:
    """Return the body of a request for lines of one session, in their order; `now_ns`: when they are sent, UTC."""
    before, records = now_ns, []
    for line in lines:
        fields = fields_of(line)
        found = None if fields is None else _time_ns(fields["time"])
        before = before if found is None else found
        records.append(_record(line, fields, before, now_ns))
    resource = [_attribute("service.name", "myquant"), _attribute("myquant.session", source)]
    logs = [{"scope": {"name": "myquant"}, "logRecords": records}]
    return json.dumps({"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": logs}]}).encode()


def _record(line: bytes, fields: Mapping[str, Any] | None, time_ns: int, now_ns: int) -> dict[str, Any]:
    """Return a line as a record; one that is no JSON is its own body."""
    record: dict[str, Any] = {"timeUnixNano": str(time_ns), "observedTimeUnixNano": str(now_ns)}
    if fields is None:
        text = line.decode("utf-8", "replace")
        return {**record, "body": {"stringValue": text}, "attributes": [_attribute("myquant.no_json", value=True)]}
    level = fields["level"]
    if level in SEVERITIES:
        record |= {"severityNumber": SEVERITIES[level]}
    rest = [_attribute(NAMES.get(name, name), value) for name, value in fields.items() if name not in HEAD]
    return {**record, "severityText": level, "body": {"stringValue": fields["event"]}, "attributes": rest}


def _attribute(name: str, value: object) -> dict[str, Any]:
    return {"key": name, "value": _value(value)}


def _value(value: object) -> dict[str, Any]:
    """Return a value as OTLP has it: whole numbers as texts, None as an empty text."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -INT64 <= value < INT64:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [_attribute(name, each) for name, each in value.items()]}}
    return {"stringValue": "" if value is None else str(value)}


def _time_ns(text: str) -> int | None:
    """Return a time as a log has it (`2025-10-03T03:51:07.120400300Z`), ns since the epoch; None: it is none."""
    second, _, rest = text.removesuffix("Z").partition(".")
    try:
        whole = int(datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp())
        return whole * SECOND_NS + int(rest[:9].ljust(9, "0"))
    except (ValueError, OverflowError):
        return None
