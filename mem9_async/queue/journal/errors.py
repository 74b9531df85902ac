"""What can go wrong with a journal; each class says what it means for its jobs."""


class JournalError(Exception):
    """The journal could not do what it was asked; nothing was changed."""


class JournalFull(JournalError):
    """The disk (or the page limit) has no room."""


class JournalCorrupt(JournalError):
    """The file is not a journal, or is damaged."""


class JournalForeignKey(JournalError):
    """The journal was sealed with another key; it is left untouched."""


class JournalNewer(JournalError):
    """The file was written by a newer version of the plugin and is left untouched."""
