"""Starts the plugin in Dify's plugin host: SDK, logs, and the runtime once the host is ready."""

import gc
import os
import signal
import sys
from pathlib import Path

import gevent
import structlog
from dify_plugin import DifyPluginEnv
from dify_plugin import Plugin as SdkServer
from dify_plugin.config.config import InstallMethod

from mem9_async import logs, settings
from mem9_async.queue.troubles import place_of
from mem9_async.runtime import current
from mem9_async.runtime.host import pipes, sdk_contract
from mem9_async.runtime.host.log_file import LogFile
from mem9_async.runtime.plugin import Plugin
from mem9_async.version import VERSION

log = structlog.get_logger()

# The host waits for the first heartbeat; nothing of ours may come before it.
_START_AFTER_S = 0.2
_WATCH_EVERY_S = 1.0
# How long one of the two threads may keep the interpreter while the other wants it. At Python's
# 5 ms, an answer waits for all the work that lies before the loop: of 64 searches at a time 13 %
# fewer get done in a second than at 1 ms. Less than 1 ms costs stores more than searches gain.
_SWITCH_S = 0.001


def serve() -> None:
    """Run until the host ends the process."""
    os.umask(0o077)  # SQLite makes its files as open as this allows: 0600
    pipes.buffer_stdout()
    loaded, problems = settings.load()
    log_file = _log(loaded)
    for problem in problems:
        log.warning("setting.ignored", reason=problem)
    environment = DifyPluginEnv()
    local = environment.INSTALL_METHOD is InstallMethod.Local
    plugin = Plugin(
        loaded,
        Path.cwd(),
        lasting=environment.INSTALL_METHOD is not InstallMethod.Serverless,
        host_has_gone=pipes.host_has_gone if local else lambda: False,
    )
    current.install(plugin)
    gevent.spawn_later(_START_AFTER_S, _look_after, plugin)
    gevent.signal_handler(signal.SIGTERM, _leave, plugin, log_file)
    server = _server(environment)
    # All that is loaded by now stays for good. A full collection that walks it, every other second
    # under load, stops each call that is under way for 90 ms.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_S)
    server.run()


def _server(environment: DifyPluginEnv) -> SdkServer:
    """Our server where the SDK is the one that it was made for, else the SDK's own."""
    found = sdk_contract.differences()
    if found:
        log.warning("sdk.untested", reason="; ".join(found[:3]), tested=sdk_contract.TESTED)
        return SdkServer(environment)
    from mem9_async.runtime.host.sdk_server import Server  # what it imports may not be there

    return Server(environment)


def _look_after(plugin: Plugin) -> None:
    while True:
        try:
            plugin.start()
            plugin.watch()
        except Exception as exc:
            # The watch itself must not end: it is what notices everything else.
            log.error("worker.failed", error_type="bug", reason=place_of(exc))
        gevent.sleep(_WATCH_EVERY_S)


def _leave(plugin: Plugin, log_file: LogFile | None) -> None:
    # A courtesy of container stops; the daemon itself uses SIGKILL, which nothing needs to survive.
    plugin.close()
    if log_file is not None:
        log_file.close()
    os._exit(0)


def _log(loaded: settings.Settings) -> LogFile | None:
    """Have events written to the host's log, and to a file where one is asked for."""
    relay = logs.Relay()
    if loaded.log_file is None:
        logs.configure(relay.send, level=loaded.log_level, version=VERSION)
        _relay_on_hub(relay)
        return None
    log_file = LogFile(loaded.log_file.expanduser().absolute())

    def send(level: str, message: str) -> None:
        relay.send(level, message)
        log_file.send(level, message)

    logs.configure(send, level=loaded.log_level, version=VERSION)
    _relay_on_hub(relay)
    log_file.start()
    return log_file


def _relay_on_hub(relay: logs.Relay) -> None:
    hub = gevent.get_hub()
    write = logs.plugin_writer()
    waiting = gevent.event.Event()

    def pump() -> None:
        while True:
            waiting.wait()
            waiting.clear()
            while relay.drain(write):
                gevent.sleep(0)

    gevent.spawn(pump)
    relay.attach(lambda: hub.loop.run_callback_threadsafe(waiting.set))
