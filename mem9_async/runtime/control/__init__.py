"""The control socket: how a running process is asked."""
