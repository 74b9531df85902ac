"""What proves delivery: a server that misbehaves on purpose, an oracle, a hand that kills."""
