"""The one process-wide holder: what the tools call. Nothing else here is global."""

from mem9_async.runtime.plugin import Plugin

_plugin: Plugin | None = None


def install(plugin: Plugin) -> None:
    """Make *plugin* the one that get() returns."""
    global _plugin
    _plugin = plugin


def get() -> Plugin:
    """The running plugin. Raises RuntimeError when the process was not started as one."""
    if _plugin is None:
        raise RuntimeError("no plugin runs in this process; start it with `python -m main`")
    return _plugin
