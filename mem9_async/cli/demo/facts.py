"""Twenty people and what they tell the agent; no two facts are alike."""

from collections.abc import Iterator
from dataclasses import dataclass

_PEOPLE = (
    ("Ana", "Helix", "Porto", "green tea", "a kayak", "sourdough"),
    ("Bashir", "Emacs", "Amman", "black coffee", "a tandem", "chess"),
    ("Chidi", "Vim", "Lagos", "ginger beer", "an old piano", "origami"),
    ("Dagny", "Zed", "Bergen", "cloudberry juice", "a sailing boat", "knitting"),
    ("Emeka", "Kate", "Enugu", "hibiscus tea", "a telescope", "judo"),
    ("Farah", "Nano", "Tunis", "mint tea", "a darkroom", "pottery"),
    ("Goran", "Sublime", "Split", "espresso", "a beehive", "diving"),
    ("Hana", "Neovim", "Osaka", "barley tea", "a bonsai", "calligraphy"),
    ("Iker", "Micro", "Bilbao", "cider", "a surfboard", "pelota"),
    ("Jana", "Kakoune", "Brno", "rooibos", "a theremin", "orienteering"),
    ("Kofi", "Geany", "Accra", "cocoa", "a drum", "beekeeping"),
    ("Lena", "Atom", "Riga", "kvass", "a loom", "fencing"),
    ("Mateo", "Lapce", "Cusco", "mate", "an alpaca", "climbing"),
    ("Noor", "Textadept", "Lahore", "lassi", "a kite workshop", "cricket"),
    ("Oskar", "Acme", "Malmo", "buttermilk", "a cargo bike", "curling"),
    ("Priya", "Brackets", "Pune", "masala chai", "a veena", "yoga"),
    ("Quinn", "Notepad", "Cork", "oat milk", "a printing press", "hurling"),
    ("Rosa", "Gedit", "Oaxaca", "horchata", "a cactus garden", "salsa"),
    ("Seo", "Jupyter", "Busan", "citron tea", "a robot arm", "archery"),
    ("Tariq", "BBEdit", "Fez", "pomegranate juice", "an oud", "falconry"),
)
_TURNS = (
    (
        "{name}'s favourite editor is {editor}.",
        "{name} lives in {city}.",
        "{name} drinks {drink} in the morning.",
        "{name} owns {thing}.",
    ),
    (
        "{name} has taken up {hobby}.",
        "{name} wants answers in short sentences.",
        "{name} prefers meetings in {city} to calls.",
        "{name} never works without {drink}.",
        "{name} writes release notes in {editor}.",
    ),
    (
        "{name} is saving money to repair {thing}.",
        "{name} teaches {hobby} on Thursdays.",
        "{name} moved to {city} two years ago.",
        "{name} asked for a reminder about {hobby} next week.",
    ),
)
EARLY_FACT = "Lena owns a loom."
EARLY_QUESTION = "What does Lena own?"
QUESTIONS = (
    "What is Hana's favourite editor?",
    "Where does Mateo live?",
    "What does Tariq own?",
)


@dataclass(frozen=True)
class Conversation:
    """One person's conversation: a burst of facts in every turn."""

    user_id: str
    conversation_id: str
    turns: tuple[tuple[str, ...], ...]


def conversations() -> Iterator[Conversation]:
    """Yield the twenty conversations."""
    for name, editor, city, drink, thing, hobby in _PEOPLE:
        words = {
            "name": name,
            "editor": editor,
            "city": city,
            "drink": drink,
            "thing": thing,
            "hobby": hobby,
        }
        turns = tuple(tuple(fact.format(**words) for fact in turn) for turn in _TURNS)
        yield Conversation(f"user-{name.lower()}", f"chat-{name.lower()}", turns)
