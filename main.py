"""Entry point for Dify's plugin daemon (`python -m main`): hands over to mem9_async."""

import dify_plugin  # noqa: F401  first of all imports: it patches the process with gevent

from mem9_async.runtime.host.entrypoint import serve

if __name__ == "__main__":
    serve()
