"""Takes an API key out of what a server says: some repeat the key they were asked with."""

import re

MARK = "[key]"
_SHORTEST = 6  # anything shorter is no key, and blanking it would garble the text
_ESCAPED = frozenset('"\\/')


def without_key(text: str, key: str, *, keep: str | None = None) -> str:
    """Return *text* with *key* blanked, also where JSON escapes stand for parts of it.

    *keep* is a link that a person is meant to open: it stays as it is.
    """
    if len(key) < _SHORTEST:
        return text
    if keep:
        return keep.join(without_key(part, key) for part in text.split(keep))
    if key not in text and "\\" not in text:
        return text
    return re.sub("".join(_forms(char) for char in key), MARK, text)


def _forms(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    unicode = "".join(rf"\\u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4))
    forms = [re.escape(char), unicode]
    if char in _ESCAPED:
        forms.insert(0, rf"\\{re.escape(char)}")
    return f"(?:{'|'.join(forms)})"
