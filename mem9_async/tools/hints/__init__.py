"""What to search for next, and the sentence that tells the model so. No model is asked."""

from mem9_async.tools.hints.sentences import retry_sentence
from mem9_async.tools.hints.suggestions import suggest_queries

__all__ = ["retry_sentence", "suggest_queries"]
