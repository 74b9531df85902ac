"""What our server replaces of the SDK is written down whole, and a change of it is noticed.

The SDK patches the process that imports it: what must is run in one of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

from mem9_async.runtime.host.sdk_contract import REPLACED, TESTED

ROOT = Path(__file__).parents[3]

OVERRIDDEN = """
import dify_plugin, inspect, json
from mem9_async.runtime.host import sdk_server, stdio
from mem9_async.runtime.host.sdk_contract import differences
found = set()
for ours in (sdk_server.Server, sdk_server._Session, stdio.FileReader, stdio.PipeReader,
             stdio.PipeWriter):
    for name, value in vars(ours).items():
        if not inspect.isfunction(value):
            continue
        for base in ours.__mro__[1:]:
            if name in vars(base) and base.__module__.startswith("dify_plugin"):
                found.add(f"{base.__module__}:{base.__qualname__}.{name}")
                break
print(json.dumps([sorted(found), differences()]))
"""

CHANGED = """
import dify_plugin, json
from importlib import import_module
from mem9_async.runtime.host import sdk_contract
told = {}
for name in sdk_contract.REPLACED:
    module, _, qualified = name.partition(":")
    owner, _, method = qualified.rpartition(".")
    owner = getattr(import_module(module), owner)
    had = owner.__dict__.get(method)
    before = getattr(owner, method)
    setattr(owner, method, lambda self, something_else: None)
    changed = sdk_contract.differences()
    setattr(owner, method, before) if had is not None else delattr(owner, method)
    told[name] = changed
print(json.dumps([told, sdk_contract.differences()]))
"""


def _run(script: str) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_installed_sdk_is_the_tested_one_and_all_that_is_overridden_is_listed() -> None:
    """An upgrade: run the tests with it, look at what changed, then raise TESTED and the pins."""
    overridden, differences = _run(OVERRIDDEN)

    assert differences == []
    assert isinstance(overridden, list)
    assert set(overridden) <= set(REPLACED)
    assert len(overridden) >= 5


def test_each_change_of_a_listed_name_is_noticed() -> None:
    """By the name that it concerns."""
    told, afterwards = _run(CHANGED)

    assert afterwards == []
    assert isinstance(told, dict)
    for name, found in told.items():
        assert any(name.partition(":")[2] in each for each in found), name


def test_the_pins_name_the_tested_version() -> None:
    """Else every start would fall back to the slower server: raise TESTED with the pins."""
    pinned = (ROOT / "requirements.txt").read_text()
    declared = (ROOT / "pyproject.toml").read_text()

    assert f"dify-plugin=={TESTED} " in pinned
    assert f'"dify-plugin=={TESTED}"' in declared
