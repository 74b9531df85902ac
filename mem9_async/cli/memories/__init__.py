"""`memories ...`: all memories of a space out of mem9, and back into one."""
