"""How the plugin's process is set up before it takes calls."""

from pathlib import Path

from tests.runtime.patched import run

_SERVE = """
import dify_plugin
import gc, os, sys
os.environ["MEM9_ASYNC_DATA_DIR"] = sys.argv[1]
from mem9_async.runtime.host import entrypoint as host
host.SdkServer.run = lambda self: print("\\n", gc.get_freeze_count(), sys.getswitchinterval())
host.serve()
"""


def test_what_is_loaded_is_frozen_and_the_threads_take_turns_quickly(tmp_path: Path) -> None:
    """A full collection of it stopped every call for 90 ms; the other thread kept one for 5."""
    frozen, switch_s = run(_SERVE, str(tmp_path)).split()[-2:]

    assert int(frozen) > 50_000
    assert float(switch_s) <= 0.001
