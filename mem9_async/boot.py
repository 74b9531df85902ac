"""Which run of the plugin this is: named in every log line, and by what it leaves on disk."""

import time

from mem9_async.queue.uuid7 import uuid7

BOOT_ID = uuid7().hex()[-8:]
STARTED_AT = time.time()  #: UTC epoch seconds
