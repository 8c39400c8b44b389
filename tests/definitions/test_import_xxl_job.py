"""XXL-JOB's jobs come over from a dump; what cannot is said, and never guessed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduling.importers.mysql_dump import read_dumped_rows
from scheduling.importers.quartz_cron import cron_of_quartz
from scheduling.importers.result import CannotCarryOver
from scheduling.importers.xxl_rows import COLUMNS, read_xxl_rows
from scheduling.models import Task
from scheduling.services.definitions import read_text
from tests.factories import make_task
from tests.processes import functions  # noqa: F401 - importing registers tests.divide

DUMP = Path(__file__).with_name("xxl_job_info.sql")


def run(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import-xxl-job", *args, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("quartz", "ours"),
    [
        ("0 30 2 ? * 2-6 *", "0 30 2 * * mon-fri"),
        ("0 0/5 * * * ?", "0 */5 * * * *"),
        ("0 3/20 * * * ?", "0 3-59/20 * * * *"),
        ("0 0 22-2 * * ?", "0 0 22,23,0,1,2 * * *"),
        ("0 0 12 ? * 1", "0 0 12 * * sun"),
        ("0 0 12 ? * 7", "0 0 12 * * sat"),
        ("0 0 12 ? * L", "0 0 12 * * sat"),
        ("0 0 12 ? * 1-7", "0 0 12 * * *"),
        ("0 0 12 ? * 6-2", "0 0 12 * * fri,sat,sun,mon"),
        ("0 0 12 ? * 2/2", "0 0 12 * * mon,wed,fri"),
        ("0 0 12 ? * 6L", "0 0 12 * * L5"),
        ("0 0 12 ? * FRIL", "0 0 12 * * L5"),
        ("0 0 12 ? * 6#3", "0 0 12 * * fri#3"),
        ("0 0 12 ? * MON,wed", "0 0 12 * * mon,wed"),
        ("0 0 12 L * ?", "0 0 12 L * *"),
        ("0 0 12 15W * ?", "0 0 12 15W * *"),
        ("0 0 12 1/10 JAN-MAR ? 2024/2", "0 0 12 */10 1-3 * 2024-2099/2"),
        ("*/10 * * * * ? 2030", "*/10 * * * * * 2030"),
    ],
)
def test_quartz_expressions_keep_their_meaning(quartz: str, ours: str) -> None:
    assert cron_of_quartz(quartz) == ours


@pytest.mark.parametrize(
    "quartz",
    [
        *["* * * * *", "0 0 0 LW * ?", "0 0 0 L-3 * ?", "0 0 12 1 * 2", "0 0 12 ? * 8", "0 0 12 ? * 0", "61 * * * * ?"],
        *["0 0 0 30 2 ?", "", "0 0/0 * * * ?", "0 0 12 ? * 2#6", "every day at noon please now"],
    ],
)
def test_quartz_expressions_without_an_equal_are_refused(quartz: str) -> None:
    with pytest.raises(CannotCarryOver):
        cron_of_quartz(quartz)


def test_literals_are_read_as_mysql_reads_them() -> None:
    dump = r"""
    # INSERT INTO t VALUES (0, 'a comment');
    INSERT IGNORE INTO `db`.`t` (`a`, b) VALUES
      (1, 'it''s \'so\'; (x), \\n \n'), (-2.5, "a ""b"" -- no comment"), (NULL, _utf8mb4'ü'), (0x41, now()), (1, 2, 3);
    insert into other values (9, 9);
    REPLACE INTO t VALUES (5, 'after'), (6, 'cut
    """
    found = read_dumped_rows(dump, "t", ("x", "y"))
    assert [tuple(row.values()) for row in found.rows] == [
        (1, "it's 'so'; (x), \\n \n"),
        (-2.5, 'a "b" -- no comment'),
        (None, "ü"),
        ("A", "now ( )"),
        (5, "after"),
    ]
    assert [set(row) for row in found.rows] == [{"a", "b"}] * 4 + [{"x", "y"}]
    assert len(found.problems) == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("namespace")
def test_a_dump_becomes_definitions_and_a_report_of_the_rest(tmp_path: Path) -> None:
    mapped = tmp_path / "map.yaml"
    mapped.write_text("tests.divide: {function: tests.divide}\n")
    out, err = run(str(DUMP), "-o", "-", "--timezone", "Asia/Shanghai", "--function-map", str(mapped))
    read = {each.body["name"]: each.body for each in read_text(out, source="out", as_json=False).objects}
    assert read["每日结算"] == {
        "kind": "task",
        "namespace": "default",
        "name": "每日结算",
        "description": "XXL-JOB job 1, group 1. Author: 张三.",
        "handler": "python",
        "params": {"function": "tests.divide"},
        "trigger": "cron",
        "cron_expression": "0 30 2 * * mon-fri",
        "timezone": "Asia/Shanghai",
        "catch_up": "none",
        "overlap": "queue_all",
        "timeout_seconds": 600,
        "max_attempts": 3,
    }
    second = read['It\'s "quoted"; path C:\\tmp\\x']
    assert (second["enabled"], second["trigger"], second["every_seconds"]) == (False, "interval", 45)
    assert second["params"]["kwargs"] == {"param": "a=1,b=(2)"}
    assert (second["catch_up"], second["overlap"]) == ("latest", "skip")
    assert read["shell - backup"]["params"]["argv"][2] == '#!/bin/bash\necho "start; of $1"\nexit 0\n'
    assert read["shell - backup"]["params"]["argv"][4] == "/data"
    assert read["shell - backup (7)"]["params"] == {"command": "true"}
    assert len(read) == 4
    for line in (
        "skipped: 4 “python script”: it is a script of the kind GLUE_PYTHON",
        "skipped: 5 “last workday”: “lw” in its expression",
        "skipped: ?: The row that begins with 6 has 4 values for 24 columns.",
        "note: 1 “每日结算”: failures are not mailed to ops@example.org.",
        "note: 3 “shell / backup”: SHARDING_BROADCAST",
        "note: 3 “shell / backup”: it starts the jobs 1,2",
        'note: 2 “It\'s "quoted"; path C:\\tmp\\x”: the routing ROUND is not carried over',
        "7 read, 4 written, 3 skipped",
    ):
        assert line in err, err
    # Whoever has said it need not be told.
    assert "wall clock" not in err
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("namespace")
def test_applying_skips_what_is_refused_and_leaves_tasks_that_exist_alone() -> None:
    make_task(name="shell - backup", description="ours")
    _out, err = run(str(DUMP), "--apply")
    assert "wall clock of UTC; --timezone ZONE names another." in err
    assert "3 “shell / backup”: a task of this name exists already." in err
    # tests.divide needs arguments that the jobs do not have, so they are refused with the function's own words.
    assert "params.kwargs" in err
    assert set(Task.objects.values_list("name", "description")) == {
        ("shell - backup", "ours"),
        ("shell - backup (7)", "XXL-JOB job 7, group 1."),
    }
    run(str(DUMP), "--apply", "--overwrite")
    assert Task.objects.get(name="shell - backup").description == "XXL-JOB job 3, group 2. Author: wang."


def test_csv_and_json_say_the_same_as_the_dump(tmp_path: Path) -> None:
    rows = read_xxl_rows(DUMP).rows
    table = tmp_path / "jobs.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([{name: "NULL" if value is None else value for name, value in row.items()} for row in rows])
    read = read_xxl_rows(table).rows
    assert [(int(row["id"]), row["job_desc"], row["glue_source"]) for row in read] == [
        (row["id"], row["job_desc"], row["glue_source"]) for row in rows
    ]
    listed = tmp_path / "jobs.json"
    camel: list[dict[str, Any]] = [{"id": 1, "jobDesc": "a", "childJobid": ""}]
    listed.write_text(json.dumps({"recordsTotal": 1, "data": camel}))
    assert read_xxl_rows(listed).rows == [{"id": 1, "job_desc": "a", "child_jobid": ""}]


@pytest.mark.django_db
@pytest.mark.usefixtures("namespace")
def test_a_file_that_is_no_dump_is_refused_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.sql"
    empty.write_text("SELECT 1;")
    for args, told in (
        ([str(empty)], "no INSERT into xxl_job_info"),
        ([str(tmp_path / "missing.sql")], "cannot be read"),
        ([str(DUMP), "--timezone", "Mars/Olympus"], "Mars"),
        ([str(DUMP), "--namespace", "nowhere"], "no namespace"),
    ):
        with pytest.raises(CommandError, match=told):
            run(*args, "-o", "-")
