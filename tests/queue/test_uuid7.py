"""Ids: unique, in the form of UUID version 7."""

import uuid

from mem9_async.queue.uuid7 import uuid7


def test_ids_are_uuids_of_version_7_and_differ() -> None:
    """Anybody's UUID library reads them."""
    ids = [uuid7() for _ in range(1_000)]

    assert len(set(ids)) == 1_000
    assert {uuid.UUID(bytes=each).version for each in ids} == {7}
    assert {uuid.UUID(bytes=each).variant for each in ids} == {uuid.RFC_4122}
