"""What the dcos command line says of apps that wait, fail or are being changed."""

import contextlib
import json

import pytest

from comity.runtime.http import Response
from support.doors import running
from support.persons import Person
from support.upstreams import FakeAgent, FakeMarathon, FakeMaster, FakeService


@pytest.fixture
async def person(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DCOS_DIR", str(tmp_path / "dcos"))
    async with contextlib.AsyncExitStack() as stack:
        kinds = (FakeMarathon, FakeMaster, FakeAgent, FakeService, FakeService)
        around = [await stack.enter_async_context(kind().serving()) for kind in kinds]
        door = await stack.enter_async_context(running(tmp_path, around))
        monkeypatch.setenv("DCOS_URL", door.url)
        yield Person(door, capsys, monkeypatch)


async def test_what_waits_says_why(person):
    person.door.marathon.queue = [
        {
            "count": 2,
            "app": {"id": "/img"},
            "delay": {"timeLeftSeconds": 0, "overdue": True},
            "processedOffersSummary": {
                "rejectSummaryLastOffers": [
                    {"reason": "UnfulfilledConstraint", "declined": 3, "processed": 3},
                    {"reason": "InsufficientCpus", "declined": 0, "processed": 0},
                ]
            },
            "lastUnusedOffers": [
                {"reason": ["UnfulfilledConstraint"], "message": "image 'x' cannot run"},
                {"reason": ["UnfulfilledConstraint"], "message": "image 'x' cannot run"},
                {"reason": ["UnfulfilledConstraint"]},
            ],
        }
    ]
    out = await person.runs("task")
    assert "waiting: 2 instances of /img: no offer fits: UnfulfilledConstraint (3)" in out
    assert "\n  image 'x' cannot run (2)\n" in out


async def test_what_starts_again_says_how_it_failed(person):
    failure = {"state": "TASK_FAILED", "message": "image 'x' is not to be had"}
    person.door.marathon.apps["/img"] = {"id": "/img", "lastTaskFailure": failure}
    delay = {"timeLeftSeconds": 7, "overdue": False}
    person.door.marathon.queue = [{"count": 1, "app": {"id": "/img"}, "delay": delay}]
    out = await person.runs("task")
    wanted = (
        "waiting: 1 instance of /img: starts again in 7 s\n  TASK_FAILED: image 'x' is not to be"
    )
    assert wanted in out


async def test_what_is_locked_is_told_in_the_words_of_the_command_line(person):
    person.door.marathon.apps["/a"] = {"id": "/a", "instances": 1}
    locked = {"message": "App is locked. Override with the option '?force=true'."}
    person.door.marathon.refusal = Response(409, json.dumps(locked).encode())
    await person.runs("marathon app stop /a", code=1)
    assert "Override with --force." in person.err
