"""Where the journal lies, and what that place can promise."""
