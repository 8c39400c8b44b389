"""The rows of XXL-JOB's ``xxl_job_info``, out of a MySQL dump, a CSV file or a JSON file."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from scheduling.importers.mysql_dump import DumpedRows, read_dumped_rows
from scheduling.importers.result import CannotCarryOver

TABLE = "xxl_job_info"
#: The columns in the order of XXL-JOB 2.3 to 3.x, for INSERTs that name none in a dump without CREATE TABLE.
COLUMNS = (
    *("id", "job_group", "job_desc", "add_time", "update_time", "author", "alarm_email"),
    *("schedule_type", "schedule_conf", "misfire_strategy", "executor_route_strategy", "executor_handler"),
    *("executor_param", "executor_block_strategy", "executor_timeout", "executor_fail_retry_count", "glue_type"),
    *("glue_source", "glue_remark", "glue_updatetime", "child_jobid", "trigger_status"),
    *("trigger_last_time", "trigger_next_time"),
)


def read_xxl_rows(path: Path) -> DumpedRows:
    """Return the rows of a file; what it is, its first characters say. Raises CannotCarryOver."""
    try:
        # Line breaks stay as they are: those inside a quoted script are part of it.
        with path.open(encoding="utf-8-sig", newline="") as file:
            content = file.read()
    except OSError as error:
        raise CannotCarryOver(_("%(file)s cannot be read: %(why)s.") % {"file": path, "why": error.strerror}) from error
    except UnicodeDecodeError:
        raise CannotCarryOver(_("%(file)s is not UTF-8 text.") % {"file": path}) from None
    suffix = path.suffix.lower()
    if suffix == ".json" or (suffix not in {".sql", ".csv"} and content.lstrip()[:1] in {"[", "{"}):
        return _json_rows(path, content)
    if suffix == ".csv":
        return _csv_rows(content)
    found = read_dumped_rows(content, TABLE, COLUMNS)
    if not found.rows and not found.problems:
        raise CannotCarryOver(_("%(file)s has no INSERT into %(table)s.") % {"file": path, "table": TABLE})
    return found


def _json_rows(path: Path, content: str) -> DumpedRows:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CannotCarryOver(_("%(file)s is not JSON: %(why)s.") % {"file": path, "why": error}) from error
    found = DumpedRows()
    for number, row in enumerate(_list_in(value), start=1):
        if isinstance(row, dict):
            found.rows.append({_snake_case(str(name)): each for name, each in row.items()})
        else:
            found.problems.append(_("Item %(number)d is no object.") % {"number": number})
    return found


def _list_in(value: Any) -> list[Any]:
    """Return the rows themselves, or those inside a table's export or an answer of XXL-JOB's own pages."""
    if isinstance(value, dict):
        return _list_in(value.get("data", value.get("content", [])))
    if not isinstance(value, list):
        return []
    tables = [each for each in value if isinstance(each, dict) and each.get("type") == "table"]
    if tables:
        return [row for each in tables if each.get("name") == TABLE for row in each.get("data", [])]
    return value


def _csv_rows(content: str) -> DumpedRows:
    found = DumpedRows()
    reader = csv.DictReader(io.StringIO(content, newline=""))
    for row in reader:
        if None in row or None in row.values():
            found.problems.append(_("Line %(line)d has another number of values.") % {"line": reader.line_num})
            continue
        found.rows.append({_snake_case(name): None if each in {"NULL", "\\N"} else each for name, each in row.items()})
    return found


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).lower()
